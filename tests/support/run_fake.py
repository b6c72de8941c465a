"""Runs a supervisor with fake workers; light at the top, because every spawned worker reads this file again."""

import sys

if __name__ == "__main__":
    import fake_deployment

    sys.exit(fake_deployment.main(sys.argv[1]))
