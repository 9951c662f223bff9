"""The account: positions, cash, margins, executions and what happens to them unasked."""
