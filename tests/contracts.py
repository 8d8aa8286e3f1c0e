"""Two kinds of contract for import-linter, which knows forbidden imports but not allowed ones.

A list of what may be imported stays true when a package or a dependency is added; a list of what may not does not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

OURS = ("rotator", "plugins")


def within(module: str, package: str) -> bool:
    """Whether `module` is `package` or lies below it."""
    return module == package or module.startswith(package + ".")


def imports_of(graph: ImportGraph, package: str) -> Iterator[tuple[str, str]]:
    """Every direct import (importer, imported) that leaves `package`."""
    for importer in sorted({package, *graph.find_descendants(package)}):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            if not within(imported, package):
                yield importer, imported


class ListedContract(Contract):
    """What both kinds share: a breach is a direct import, shown with its line."""

    def breaches(self, graph: ImportGraph) -> Iterator[tuple[str, str]]:
        """Every import (importer, imported) that the contract does not allow."""
        raise NotImplementedError

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Collect the breaches with their lines."""
        lines = [line for breach in self.breaches(graph) for line in self._lines(graph, *breach)]
        return ContractCheck(kept=not lines, metadata={"lines": lines})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print a breach a line."""
        for line in check.metadata["lines"]:
            output.print_error(f"- {line}", bold=False)
        output.new_line()

    @staticmethod
    def _lines(graph: ImportGraph, importer: str, imported: str) -> Iterator[str]:
        for detail in graph.get_import_details(importer=importer, imported=imported):
            yield f"{importer} -> {imported} (l. {detail['line_number']})"


class AllowedContract(ListedContract):
    """Each of `modules`, with all below it, imports itself, the standard library and `may_import`.

    `modules` may have wildcards; two packages that match one are strangers to each other. `third_party` allows any
    installed package besides.
    """

    type_name = "allowed"

    modules: Any = fields.ListField(subfield=fields.ModuleExpressionField())
    may_import: Any = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    third_party: Any = fields.BooleanField(required=False, default=False)

    def breaches(self, graph: ImportGraph) -> Iterator[tuple[str, str]]:
        """Raises `ValueError` for a name that matches no module: a contract about nothing is always kept."""
        for expression in self.modules:
            packages = graph.find_matching_modules(expression.expression)
            if not packages:
                raise ValueError(f"no module is called {expression.expression}")
            for package in sorted(packages):
                yield from (pair for pair in imports_of(graph, package) if not self._allows(pair[1]))

    def _allows(self, imported: str) -> bool:
        if any(within(imported, package) for package in self.may_import):
            return True
        root = imported.partition(".")[0]
        return root in sys.stdlib_module_names or (bool(self.third_party) and root not in OURS)


class HomeContract(ListedContract):
    """`packages`, third-party ones, are imported within `homes` and nowhere else. Both may have wildcards."""

    type_name = "home"

    packages: Any = fields.ListField(subfield=fields.StringField())
    homes: Any = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def breaches(self, graph: ImportGraph) -> Iterator[tuple[str, str]]:
        """A home that does not exist yet is harmless: the package is then imported nowhere."""
        for ours in OURS:
            for importer, imported in imports_of(graph, ours):
                wanted = any(fnmatchcase(imported, package) for package in self.packages)
                if wanted and not any(within(importer, home) for home in self.homes):
                    yield importer, imported
