"""`python one_process.py COMMAND WORDS`: a command that verifies where it runs.

A new process for each file would take five seconds.
"""

import sys

import programs

if __name__ == "__main__":
    sys.path.insert(0, str(programs.ROOT))
    from keras_resnet.commands import doors
    from keras_resnet.export.verification import isolated

    # This comes before modules that use it as a default are imported.
    isolated.predict_isolated = isolated.predict
    words = sys.argv[1:]
    sys.exit(doors.run(words[0], words, door="python pipelines/{}.py"))
