"""Writers who keep a ledger while ownership flips and everything that can die dies.

    python -m tests.ledger --legacy mariadb --core postgresql --flips 100

Each writer fills a basket and orders it, through the proxy, under a name that is used once.
What the shop acknowledged is written down. At the end every acknowledged order must stand on
both sides exactly once and alike, and what was not acknowledged either wholly or not at all.
"""
