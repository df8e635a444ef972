"""The file in which the hooks keep answers: its format, its writer's database, its queries. Standard library only."""
