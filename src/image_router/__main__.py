"""`python -m image_router`: the command line."""

from image_router.cli.app import run

if __name__ == "__main__":
    run()
