#!/usr/bin/env python3
"""Finds public declarations of include/pdl without a comment that says what they mean.

A public class, struct, enum or function needs a comment right before it, or behind it on its line. One comment may be for
several functions without a blank line between them, as that of a class is for its first ones. Not needed: by forward
declarations, constructors, destructors, operators, overrides, and what is defaulted or deleted. Prints each breach as
`file:line: …` and exits 1 if there is one.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TYPE = re.compile(r"^(?:template\s*<.*?>\s*)?(class|struct|enum(?:\s+class)?)\s+(\w+)")
SPECIAL = re.compile(r"~|\boperator\b|\boverride\b|=\s*(?:default|delete)\s*;")


def declarations(text):
    """Yields (line, statement, class it is in or "", is it public) for each declaration that is no function's body.

    A statement is one line of text: white space is joined, and a body is left out.
    """
    scopes = []  # of each open brace: "namespace", ("type", name, is public), or "other"
    statement, begin = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("//")[0].strip()
        if not code or code.startswith("#"):
            continue
        for part in re.split(r"([{};]|(?<!:):(?!:))", code):
            if part and statement.count("(") > statement.count(")"):  # a default argument may have braces
                statement = f"{statement} {part.strip()}"
            elif part == "{":
                found = TYPE.match(statement)
                if statement.startswith("namespace"):
                    scopes.append("namespace")
                elif found and all(scope != "other" for scope in scopes):
                    yield begin, statement, *place(scopes)
                    is_enum = found[1].startswith("enum")
                    scopes.append("other" if is_enum else ("type", found[2], found[1] == "struct"))
                    statement = ""
                    continue
                else:
                    if statement and "other" not in scopes:
                        yield begin, statement, *place(scopes)
                    scopes.append("other")
                statement = ""
            elif part == "}":
                scopes.pop()
                statement = ""
            elif part == ";":
                if statement and "other" not in scopes:
                    yield begin, statement + ";", *place(scopes)
                statement = ""
            elif part == ":" and statement in ("public", "private", "protected"):
                _, name, _ = scopes.pop()
                scopes.append(("type", name, statement == "public"))
                statement = ""
            elif part.strip():
                begin = begin if statement else number
                statement = f"{statement} {part.strip()}".strip()


def place(scopes):
    types = [scope for scope in scopes if scope != "namespace" and scope != "other"]
    return (types[-1][1] if types else "", all(is_public for _, _, is_public in types))


def is_function(statement):
    head = re.sub(r"\s*=\s*0;$", ";", statement)
    if head.startswith(("using", "static_assert", "friend")) or "(*" in head or "=" in head.split("(")[0]:
        return False
    return re.search(r"\)(\s*(const|noexcept))*;?$", head) is not None


def needs_comment(statement, owner):
    if TYPE.match(statement):
        return not statement.endswith(";")  # else a forward declaration
    if not is_function(statement) or SPECIAL.search(statement):
        return False
    is_constructor = owner and re.match(rf"(explicit\s+)?{owner}\s*\(", statement)
    return not is_constructor


def breaches(text):
    """Yields (line, problem)."""
    lines = text.splitlines()
    for number, statement, owner, is_public in declarations(text):
        if not is_public or not needs_comment(statement, owner) or "//" in lines[number - 1]:
            continue
        above = number - 2
        is_type = TYPE.match(statement)
        while not is_type and lines[above].strip() and not lines[above].lstrip().startswith("//"):
            above -= 1
        if not lines[above].lstrip().startswith("//"):
            yield number, f"no comment says what this is: {statement[:80]}"


def main() -> int:
    files = sorted((ROOT / "include/pdl").rglob("*.h"))
    count = 0
    for path in files:
        for number, problem in breaches(path.read_text()):
            print(f"{path.relative_to(ROOT)}:{number}: {problem}")
            count += 1
    print(f"{len(files)} files, {count} breaches")
    return 1 if count or not files else 0


if __name__ == "__main__":
    sys.exit(main())
