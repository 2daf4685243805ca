"""`python -m rdl_live` is `rdl-live`: for computers where scripts are not on the path."""

from rdl_live.cli import main

if __name__ == "__main__":
    main()
