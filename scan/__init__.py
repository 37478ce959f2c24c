"""Mistakes that others have made before: scanners by others over what is here, and what is shipped, said in full.

The templates are judged by checkov and cfn-guard, the tree and its whole history by kingfisher, the locks by pip-audit
(`make scan`); what the archives hold becomes a list of licences and a bill of materials (`scan.licences`, `scan.sbom`).
"""
