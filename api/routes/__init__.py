"""The routes, a blueprint per concern. They translate between HTTP and the rest of the API, and decide nothing else."""
