"""What properties mean, by Azure's name of each: one name means one thing wherever it stands."""

from __future__ import annotations

from typing import Any

from verdazul.model.schema import Schema

WORDS = {
    "accountEnabled": "Always true: who may not log in is deleted.",
    "appId": "The name by which the program logs in.",
    "displayName": "For people.",
    "endDateTime": "When the secret ends; absent: in a year.",
    "forceChangePasswordNextSignIn": "Must be false.",
    "keyId": "Which secret.",
    "mailNickname": "Taken for Azure's clients; there is no mail.",
    "password": "8 to 256 characters, and not the user's name.",
    "passwordCredential": "What to say about the secret.",
    "passwordProfile": "The password; only a slow digest of it is kept.",
    "userPrincipalName": "The name by which a person logs in.",
    "additionalInfo": "`where` the mistake is and the `fix`, apart from the message.",
    "appInsightsEnabled": "Must be false: telemetry is set in `environmentVariables`.",
    "authMode": "What opens the endpoint: its two keys, a token of ours, or one of an issuer.",
    "authType": "How one is let in, such as ApiKey, PAT or None.",
    "build": "A folder with a Dockerfile; not supported in a deployment yet.",
    "capacity": "The number of instances.",
    "captureHeaders": "Request headers that are recorded.",
    "category": "What is at the other end, such as AzureOpenAI or CustomKeys.",
    "clientId": "The identity that records are written with.",
    "code": "Stable; for programs.",
    "codeConfiguration": "The scoring code.",
    "codeUri": "The address of the files: of an upload, or of a datastore of this workspace.",
    "collections": "The streams of records, by name.",
    "compute": "A Kubernetes cluster; not supported yet.",
    "condaFile": "The text of a conda file that adds to the image.",
    "containerResourceLimits": "What Kubernetes allows at most.",
    "containerResourceRequests": "What Kubernetes sets aside.",
    "containerResourceRequirements": "For Kubernetes only; not supported yet.",
    "containerType": "Whose log: the server's, or what went before it.",
    "contextUri": "The folder to build from.",
    "cpu": "Cores, as Kubernetes writes them.",
    "credentials": "What opens it. Sealed when put; shown by listSecrets only.",
    "dataCollectionMode": "Whether it is recorded.",
    "dataCollector": "What is recorded of requests and answers; not supported yet.",
    "dataId": "The data asset that records become.",
    "dataType": "What the address leads to.",
    "dataUri": "The address of the data; it stays where it is.",
    "description": "For people.",
    "details": "Every single problem, and the tail of the log where there is one.",
    "dockerfilePath": "The Dockerfile's place in that folder.",
    "egressPublicNetworkAccess": "Must be Enabled.",
    "endpointComputeType": "Who runs the instances.",
    "environmentVariables": "What the scoring script finds in its environment.",
    "expirableSecret": "Every secret here expires; taken for Azure's clients.",
    "expireAfterHours": "When it expires.",
    "failureThreshold": "After how many failures an instance is given up.",
    "flavors": "How the model can be loaded.",
    "gpu": "GPUs, as Kubernetes counts them.",
    "identity": "SystemAssigned, or None; others are not supported yet.",
    "image": "The container image it stands for.",
    "inferenceConfig": "The three routes of an image of one's own.",
    "instanceType": "Azure's name of a machine; says how much of this one an instance gets.",
    "isAnonymous": "Whether it has no name of its own and is left out of lists.",
    "isArchived": "Whether it is left out of lists and of `@latest`.",
    "isPaused": "Whether requests wait.",
    "isSharedToAll": "Whether all users of the workspace may use it.",
    "jobName": "The job that made it.",
    "keyType": "Which key to replace.",
    "keyValue": "A key of one's own: 32 to 256 printable characters. Absent: a random one.",
    "latestVersion": "What `@latest` names.",
    "level": "CanNotDelete, or ReadOnly: no changes at all.",
    "livenessProbe": "When an instance counts as dead.",
    "livenessRoute": "Says whether it lives.",
    "location": "Must be the home's location.",
    "maxConcurrentRequestsPerInstance": "How many requests one instance takes at once.",
    "maxInstances": "For scaleType TargetUtilization.",
    "maxQueueWait": "How long a request waits for a worker.",
    "memory": "Memory, as Kubernetes writes it.",
    "metadata": "Words about it.",
    "minInstances": "For scaleType TargetUtilization.",
    "mirrorTraffic": "Percent of requests of which a copy goes to this deployment.",
    "modelMountPath": "Not supported yet; read AZUREML_MODEL_DIR.",
    "modelType": "How the model's files are to be read.",
    "modelUri": "The address of the files: of an upload, or of a datastore of this workspace.",
    "nextVersion": "What a client takes when nobody chose one.",
    "nextLink": "Where the list goes on.",
    "notes": "For people.",
    "osType": "Must be Linux in a deployment.",
    "path": "The route's path.",
    "pendingUploadId": "The name of the upload; one is chosen here.",
    "pendingUploadType": "How the files are sent.",
    "pollingInterval": "For scaleType TargetUtilization.",
    "port": "The route's port.",
    "principalId": "The identity: the oid or sub of its tokens, or //DIRECTORY/ID.",
    "principalType": "Groups are looked up in the groups of a token.",
    "progress": "What happened since it began, oldest first (not in Azure).",
    "properties": "What it is.",
    "provisioningState": "Where the last change stands.",
    "publicNetworkAccess": "Must be Enabled: endpoints listen where the server is told to.",
    "readinessProbe": "When an instance takes requests.",
    "readinessRoute": "Says whether it takes requests.",
    "referencedUris": "The addresses that an mltable names.",
    "requestLogging": "What else is recorded of a request.",
    "requestSettings": "How long a request may take, and how many at once.",
    "roleDefinitionId": "The role's name, GUID or ARM id.",
    "rollingRate": "How much time one file of records covers.",
    "samplingRate": "The part of all requests that is recorded; one rate for all collections.",
    "scaleSettings": "How the number of instances is chosen.",
    "scaleType": "Default: by `sku.capacity`. TargetUtilization is not supported yet.",
    "scoringRoute": "Takes the requests.",
    "scoringScript": "The file inside the code that has init() and run().",
    "scoringUri": "Where to send requests.",
    "sku": "How many instances.",
    "stage": "For people, such as Production.",
    "successThreshold": "After how many successes an instance counts as ready.",
    "swaggerUri": "Where the script's own description is, once one has served.",
    "systemData": "Who made and changed it, and when.",
    "tags": "For people; texts by name.",
    "tail": "How many lines.",
    "target": "Its address.",
    "targetUtilizationPercentage": "For scaleType TargetUtilization.",
    "traffic": "Percent of requests by deployment; the sum is 100 or 0.",
    "type": "SystemAssigned, UserAssigned or None for an identity, else the resource's type.",
    "userAssignedIdentities": "ARM ids.",
}


def described(schema: Any, name: str = "") -> Any:
    """The schema with the words for each property that has none."""
    if isinstance(schema, list):
        return [described(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found: Schema = {
        key: {inner: described(each, inner) for inner, each in value.items()}
        if key == "properties"
        else value
        if key in {"examples", "default", "enum", "required"}
        else described(value)
        for key, value in schema.items()
    }
    if name in WORDS and "description" not in found:
        found["description"] = WORDS[name]
    return found
