"""The house that the pipeline runs in: a Prefect server, an MLflow server and a worker.

Subprocesses only: nothing here imports Prefect or MLflow. A small supervisor starts the parts,
writes their logs, and starts again what dies; ``penstock.standing`` is what it writes down.

=============  ==========================================================================
``parts``      what each part is: command, environment, how to tell that it answers
``processes``  starting, finding and ending processes that are surely ours
``supervisor`` the loop that watches; the only process that starts parts
``entrance``   what must hold before anything starts: ports, passwords
``control``    what ``penstock up`` and ``down`` do
``status``     what ``penstock status`` says
=============  ==========================================================================
"""
