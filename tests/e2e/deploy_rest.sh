#!/bin/bash
# An endpoint over REST alone, as scripts do it for Azure: az for tokens and storage, curl and jq for
# all else. Needs: ENDPOINT, MANAGEMENT (https://management.azure.com in Azure), and the folders src
# (score.py) and model, and conda.yml
set -euo pipefail

az configure --defaults group=local workspace=verdazul
SUBSCRIPTION_ID=$(az account show --query id | tr -d '\r"')
LOCATION=$(az group show --query location | tr -d '\r"')
RESOURCE_GROUP=$(az group show --query name | tr -d '\r"')
WORKSPACE=$(az configure -l | jq -r '.[] | select(.name=="workspace") | .value')
API_VERSION="2022-05-01"
TOKEN=$(az account get-access-token --query accessToken -o tsv)
SCORING_TOKEN=$(az account get-access-token --resource https://ml.azure.com --query accessToken -o tsv)
BASE="${MANAGEMENT%/}/subscriptions/$SUBSCRIPTION_ID/resourceGroups/$RESOURCE_GROUP"
BASE="$BASE/providers/Microsoft.MachineLearningServices/workspaces/$WORKSPACE"

call() { # METHOD PATH [BODY]
  curl --silent --show-error --location --request "$1" "$BASE/$2?api-version=$API_VERSION" \
    --header "Authorization: Bearer $TOKEN" --header "Content-Type: application/json" \
    ${3+--data-raw "$3"}
}

wait_for() { # URI OF AN OPERATION
  status=unknown
  while [[ $status != "Succeeded" && $status != "Failed" && $status != "Canceled" ]]; do
    sleep 0.5
    result=$(curl --silent --show-error --location "$1" --header "Authorization: Bearer $TOKEN")
    status=$(jq -r .status <<<"$result")
  done
  [[ $status == "Succeeded" ]] || { echo "$result" >&2; exit 1; }
}

response=$(curl --silent --show-error --location --header "Authorization: Bearer $TOKEN" \
  "$BASE/datastores?api-version=$API_VERSION&isDefault=true")
DATASTORE=$(jq -r '.value[0].name' <<<"$response")
CONTAINER=$(jq -r '.value[0].properties.containerName' <<<"$response")
AZURE_STORAGE_ACCOUNT=$(jq -r '.value[0].properties.accountName' <<<"$response")
export AZURE_STORAGE_ACCOUNT

az storage blob upload-batch -d "$CONTAINER/score" -s src --output none
call PUT codes/score/versions/1 "{
  \"properties\": {
    \"codeUri\": \"https://$AZURE_STORAGE_ACCOUNT.blob.core.windows.net/$CONTAINER/score\"
  }
}" | jq -r '"code \(.name)"'

az storage blob upload-batch -d "$CONTAINER/model" -s model --account-name "$AZURE_STORAGE_ACCOUNT" \
  --output none
call PUT models/weights/versions/1 "{
  \"properties\": {
    \"modelUri\": \"azureml://subscriptions/$SUBSCRIPTION_ID/resourceGroups/$RESOURCE_GROUP/workspaces/$WORKSPACE/datastores/$DATASTORE/paths/model/weights.txt\"
  }
}" | jq -r '"model \(.name)"'

CONDA_FILE=$(<conda.yml)
call PUT environments/scoring/versions/1 "{
  \"properties\": {
    \"condaFile\": \"$CONDA_FILE\",
    \"image\": \"mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04\"
  }
}" | jq -r '"environment \(.name)"'

response=$(call PUT "onlineEndpoints/$ENDPOINT" "{
  \"identity\": {\"type\": \"systemAssigned\"},
  \"properties\": {\"authMode\": \"AMLToken\"},
  \"location\": \"$LOCATION\"
}")
wait_for "$(jq -r .properties.properties.AzureAsyncOperationUri <<<"$response")"

IDS="/subscriptions/$SUBSCRIPTION_ID/resourceGroups/$RESOURCE_GROUP"
IDS="$IDS/providers/Microsoft.MachineLearningServices/workspaces/$WORKSPACE"
response=$(call PUT "onlineEndpoints/$ENDPOINT/deployments/blue" "{
  \"location\": \"$LOCATION\",
  \"sku\": {\"capacity\": 1, \"name\": \"default\"},
  \"properties\": {
    \"endpointComputeType\": \"Managed\",
    \"instanceType\": \"Standard_DS3_v2\",
    \"scaleSettings\": {\"scaleType\": \"Default\"},
    \"model\": \"$IDS/models/weights/versions/1\",
    \"codeConfiguration\": {\"codeId\": \"$IDS/codes/score/versions/1\", \"scoringScript\": \"score.py\"},
    \"environmentId\": \"$IDS/environments/scoring/versions/1\"
  }
}")
wait_for "$(jq -r .properties.properties.AzureAsyncOperationUri <<<"$response")"
response=$(call PUT "onlineEndpoints/$ENDPOINT" "{
  \"properties\": {\"authMode\": \"AMLToken\", \"traffic\": {\"blue\": 100}}, \"location\": \"$LOCATION\"
}")
wait_for "$(jq -r .properties.properties.AzureAsyncOperationUri <<<"$response")"

score() { # TOKEN
  curl --silent --show-error --location --request POST "$SCORING_URI" \
    --header "Authorization: Bearer $1" --header "Content-Type: application/json" --data '{"x": 1}'
  echo
}
response=$(call GET "onlineEndpoints/$ENDPOINT")
SCORING_URI=$(jq -r .properties.scoringUri <<<"$response")
echo "state $(jq -r .properties.provisioningState <<<"$response")"
response=$(curl --silent --show-error --header "Content-Length: 0" --location --request POST \
  "$BASE/onlineEndpoints/$ENDPOINT/token?api-version=$API_VERSION" --header "Authorization: Bearer $TOKEN")
echo "by token $(score "$(jq -r .accessToken <<<"$response")")"

for mode in Key AADToken; do
  response=$(call PUT "onlineEndpoints/$ENDPOINT" "{
    \"properties\": {\"authMode\": \"$mode\", \"traffic\": {\"blue\": 100}}, \"location\": \"$LOCATION\"
  }")
  wait_for "$(jq -r .properties.properties.AzureAsyncOperationUri <<<"$response")"
  credential=$SCORING_TOKEN
  [[ $mode == "AADToken" ]] || credential=$(call POST "onlineEndpoints/$ENDPOINT/listKeys" | jq -r .primaryKey)
  echo "by $mode $(score "$credential")"
done

call POST "onlineEndpoints/$ENDPOINT/deployments/blue/getLogs" '{ "tail": 100 }' |
  jq -r .content | grep --quiet "blue is ready"
curl --silent --show-error --location --request DELETE --dump-header headers.txt \
  "$BASE/onlineEndpoints/$ENDPOINT?api-version=$API_VERSION" --header "Authorization: Bearer $TOKEN"
wait_for "$(tr -d '\r' <headers.txt | sed -n 's/^azure-asyncoperation: //Ip')"
call GET "onlineEndpoints/$ENDPOINT" | jq -r .error.code
