"""Ids of every requirement of the classes that this door claims: OGC 18-062r2 (Part 1, 1.0), and the drafts of Parts 2
(20-044) and 4 (24-051). For each there is a test of that name: ``/req/core/job`` is ``test_req__core__job``."""

from __future__ import annotations

PART_1 = """
/req/callback/job-callback
/req/core/api-definition-op
/req/core/api-definition-success
/req/core/conformance-op
/req/core/conformance-success
/req/core/http
/req/core/job
/req/core/job-exception-no-such-job
/req/core/job-results
/req/core/job-results-async-document
/req/core/job-results-async-raw-mixed-multi
/req/core/job-results-async-raw-ref
/req/core/job-results-async-raw-value-multi
/req/core/job-results-async-raw-value-one
/req/core/job-results-exception/no-such-job
/req/core/job-results-exception/results-not-ready
/req/core/job-results-failed
/req/core/job-results-success-sync
/req/core/job-success
/req/core/landingpage-op
/req/core/landingpage-success
/req/core/pl-limit-definition
/req/core/pl-limit-response
/req/core/pl-links
/req/core/process
/req/core/process-exception/no-such-process
/req/core/process-execute-auto-execution-mode
/req/core/process-execute-default-execution-mode
/req/core/process-execute-default-outputs
/req/core/process-execute-input-array
/req/core/process-execute-input-inline-bbox
/req/core/process-execute-input-inline-binary
/req/core/process-execute-input-inline-object
/req/core/process-execute-input-mixed-type
/req/core/process-execute-input-validation
/req/core/process-execute-inputs
/req/core/process-execute-op
/req/core/process-execute-request
/req/core/process-execute-success-async
/req/core/process-execute-sync-document
/req/core/process-execute-sync-raw-mixed-multi
/req/core/process-execute-sync-raw-ref
/req/core/process-execute-sync-raw-value-multi
/req/core/process-execute-sync-raw-value-one
/req/core/process-list
/req/core/process-list-success
/req/core/process-success
/req/core/test-process
/req/dismiss/job-dismiss-op
/req/dismiss/job-dismiss-success
/req/html/content
/req/html/definition
/req/job-list/datetime-definition
/req/job-list/datetime-response
/req/job-list/duration-definition
/req/job-list/duration-response
/req/job-list/job-list-op
/req/job-list/job-list-success
/req/job-list/limit-definition
/req/job-list/limit-response
/req/job-list/links
/req/job-list/processID-definition
/req/job-list/processID-mandatory
/req/job-list/processid-response
/req/job-list/status-definition
/req/job-list/status-response
/req/job-list/type-definition
/req/job-list/type-response
/req/json/definition
/req/oas30/completeness
/req/oas30/exceptions-codes
/req/oas30/oas-definition-1
/req/oas30/oas-definition-2
/req/oas30/oas-impl
/req/oas30/security
/req/ogc-process-description/input-binary
/req/ogc-process-description/input-def
/req/ogc-process-description/input-mixed-type
/req/ogc-process-description/inputs-def
/req/ogc-process-description/json-encoding
/req/ogc-process-description/output-def
/req/ogc-process-description/output-mixed-type
/req/ogc-process-description/outputs-def
""".split()  # noqa: SIM905 - a list to be read

PART_2 = """
/req/deploy-replace-undeploy/deploy-body
/req/deploy-replace-undeploy/deploy-content-type
/req/deploy-replace-undeploy/deploy-post-op
/req/deploy-replace-undeploy/deploy-response-body
/req/deploy-replace-undeploy/deploy-response-duplicate
/req/deploy-replace-undeploy/deploy-response-immutable
/req/deploy-replace-undeploy/deploy-response-pid
/req/deploy-replace-undeploy/deploy-response-success
/req/deploy-replace-undeploy/deploy-unsupported-media-type
/req/deploy-replace-undeploy/package-get-op
/req/deploy-replace-undeploy/package-response-body
/req/deploy-replace-undeploy/package-response-success
/req/deploy-replace-undeploy/replace-body
/req/deploy-replace-undeploy/replace-content-type
/req/deploy-replace-undeploy/replace-put-op
/req/deploy-replace-undeploy/replace-response
/req/deploy-replace-undeploy/static-indicator
/req/deploy-replace-undeploy/undeploy-delete-op
/req/deploy-replace-undeploy/undeploy-response
/req/ogcapppkg/body
/req/ogcapppkg/deploy-body
/req/ogcapppkg/package-response-body
/req/ogcapppkg/process-description
/req/ogcapppkg/profile-docker
/req/ogcapppkg/replace-body
/req/ogcapppkg/schema
""".split()  # noqa: SIM905 - a list to be read

PART_4 = """
/req/provenance/inputs-get-op
/req/provenance/inputs-response
/req/provenance/prov-get-op
/req/provenance/prov-response
""".split()  # noqa: SIM905 - a list to be read

REQUIREMENTS = (*PART_1, *PART_2, *PART_4)


def name_of(requirement: str) -> str:
    """The name that the test of a requirement has."""
    return "test_" + requirement.strip("/").replace("/", "__").replace("-", "_").lower()
