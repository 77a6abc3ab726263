"""What scripts of this folder check, and how many of it failed so far."""
failed = 0


def check(ok, what):
    global failed
    if not ok:
        failed += 1
        print("FAILED:", what)
