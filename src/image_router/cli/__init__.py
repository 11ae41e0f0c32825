"""The command line: parse, call the engine once, print. Open app.py first."""
