"""Every system call of every program fails once, and every program is killed at each of them.

    strace.py   runs a program under strace, with one fault
    faults.py   which calls fail, and how
    cases.py    one case for each thing that a program does, and how to tell that nothing is lost
    torture.py  runs cases with faults, and counts
    run         `make torture`: all faults, and the table of what they did

The fault happens once, in one process: the program, or the first process of a helper.  Then the
same programs run without a fault, and the facts decide: what the stand-in for amoCRM has given out,
and what is stored.
"""
