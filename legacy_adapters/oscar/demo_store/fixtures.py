"""Loads rows of a Django JSON fixture under new primary keys."""

import json
from dataclasses import dataclass, field

from django.apps import apps


@dataclass
class Fixture:
    """The rows of one file, and which key of the file became which key of the database.

    Attributes:
        known: model label to {key in the file: key in the database}.
    """

    entries: list
    known: dict = field(default_factory=dict)

    @classmethod
    def read(cls, path):
        """Parse the file; nothing is loaded yet."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def rows(self, label):
        """The file's rows of one model, in file order."""
        return [entry for entry in self.entries if entry["model"] == label]

    def load(self, label, natural=(), skip=lambda pk, fields: False):
        """Insert the rows of one model; models they point at must be loaded before.

        Args:
            natural: fields that identify a row; one that the database has is reused.
            skip: called with (key, fields); true leaves the row out.
        """
        model = apps.get_model(label)
        keys = self.known.setdefault(label, {})
        for row in self.rows(label):
            if skip(row["pk"], row["fields"]):
                continue
            found = None
            if natural:
                wanted = {name: row["fields"][name] for name in natural}
                found = model._default_manager.filter(**wanted).first()
            keys[row["pk"]] = (found or self._insert(model, row["fields"])).pk

    def _insert(self, model, fields):
        plain, many = {}, {}
        for name, value in fields.items():
            column = model._meta.get_field(name)
            if column.many_to_many:
                many[name] = [self._key(column, one) for one in value]
            elif column.is_relation and value is not None:
                plain[column.attname] = self._key(column, value)
            else:
                plain[name] = value if value is None else column.to_python(value)
        instance = model(**plain)
        instance.save()
        for name, keys in many.items():
            if keys:
                getattr(instance, name).set(keys)
        return instance

    def _key(self, column, key):
        return self.known[column.related_model._meta.label_lower][key]
