"""Spec, plan and run of a project: the one door to the ledger."""

from genwright.project.project import Finished, Project, is_follower
from genwright.project.spec import Spec

__all__ = ["Finished", "Project", "Spec", "is_follower"]
