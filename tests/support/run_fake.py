"""Runs a supervisor with fake workers; light at the top, because every spawned worker reads this file again."""

import sys

if __name__ == "__main__":
    import fake_rooms

    sys.exit(fake_rooms.main(sys.argv[1]))
