"""The sources that read registries of prompts and the tools around them: one package for each tool."""
