#!/bin/bash
# An endpoint by ARM templates, as scripts do it for Azure. Needs: ENDPOINT, TEMPLATES (a folder), and
# the folder src (score.py) and conda.yml
set -euo pipefail

az configure --defaults group=local workspace=verdazul
WORKSPACE=$(az ml workspace show --query name -o tsv)
RESOURCE_GROUP=$(az group show --query name -o tsv)
STORE=$(az ml datastore show -n workspaceblobstore -o json)
AZURE_STORAGE_ACCOUNT=$(jq -r .account_name <<<"$STORE")
CONTAINER=$(jq -r .container_name <<<"$STORE")
export AZURE_STORAGE_ACCOUNT

az storage blob upload-batch -d "$CONTAINER/$ENDPOINT" -s src --output none

az deployment group create -g "$RESOURCE_GROUP" --name "make-$ENDPOINT" \
  --template-file "$TEMPLATES/endpoint.json" \
  --parameters workspaceName="$WORKSPACE" endpointName="$ENDPOINT" \
  --query properties.outputs.scoringUri.value -o tsv

cat > values.json <<JSON
{
  "workspaceName": {"value": "$WORKSPACE"},
  "endpointName": {"value": "$ENDPOINT"},
  "codeUri": {"value": "https://$AZURE_STORAGE_ACCOUNT.blob.core.windows.net/$CONTAINER/$ENDPOINT"},
  "condaFile": {"value": $(jq -Rs . conda.yml)}
}
JSON
az deployment group validate -g "$RESOURCE_GROUP" --template-file "$TEMPLATES/deployment.json" \
  --parameters @values.json --query properties.provisioningState -o tsv
az deployment group create -g "$RESOURCE_GROUP" --template-file "$TEMPLATES/deployment.json" \
  --parameters @values.json --query properties.provisioningState -o tsv

# as scripts wait for what a template has put: by the operation that the resource names
ID=$(az ml online-deployment show -e "$ENDPOINT" -n blue --query id -o tsv)
TOKEN=$(az account get-access-token --query accessToken -o tsv)
OPERATION=$(curl --silent --show-error --header "Authorization: Bearer $TOKEN" \
  "https://management.azure.com$ID?api-version=2022-05-01" |
  jq -r .properties.properties.AzureAsyncOperationUri)
curl --silent --show-error --header "Authorization: Bearer $TOKEN" "$OPERATION" | jq -r .status

az deployment group create -g "$RESOURCE_GROUP" --name "open-$ENDPOINT" \
  --template-file "$TEMPLATES/endpoint.json" \
  --parameters workspaceName="$WORKSPACE" endpointName="$ENDPOINT" traffic='{"blue": 100}' \
  --output none

echo '{"x": 1}' > request.json
az ml online-endpoint invoke -n "$ENDPOINT" --request-file request.json
az deployment group list -g "$RESOURCE_GROUP" --query '[].name' -o tsv
az ml online-endpoint delete -n "$ENDPOINT" --yes
