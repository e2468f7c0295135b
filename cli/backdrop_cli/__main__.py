"""`python -m backdrop_cli`, the same as `backdrop`."""

from backdrop_cli.main import main

if __name__ == "__main__":
    main()
