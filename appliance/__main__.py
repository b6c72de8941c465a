"""`python -m appliance` is `lfr`."""

from appliance.cli import main

if __name__ == "__main__":
    main()
