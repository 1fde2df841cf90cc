"""Django's own command line, for a look inside: LEGACY_DB=… LEGACY_SECRET=x python manage.py shell."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    execute_from_command_line(sys.argv)
