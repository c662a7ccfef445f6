#!/bin/bash
# A safe rollout as it is written for Azure. It knows az, curl and jq, and nothing of Verdazul.
# Needs: SUBSCRIPTION GROUP WORKSPACE ENDPOINT, and endpoint.yml blue.yml green.yml request.json
set -euo pipefail

az extension remove --name ml
az extension add --name ml --yes
az account set --subscription "$SUBSCRIPTION"
az configure --defaults group="$GROUP" workspace="$WORKSPACE"
echo "account $(az account show --query id --output tsv)"
echo "registry $(az ml workspace show --query container_registry -o tsv | cut -d / -f 7-)"
echo "workspace $(az ml workspace show --query name --output tsv)"

az ml online-endpoint create --name "$ENDPOINT" --file endpoint.yml
endpoint_status=$(az ml online-endpoint show --name "$ENDPOINT" --query "provisioning_state" -o tsv)
if [[ $endpoint_status != "Succeeded" ]]; then
  echo "Endpoint creation failed"
  exit 1
fi

az ml online-deployment create --name blue --endpoint "$ENDPOINT" --file blue.yml --all-traffic
deploy_status=$(az ml online-deployment show --name blue --endpoint "$ENDPOINT" \
  --query "provisioning_state" -o tsv)
if [[ $deploy_status != "Succeeded" ]]; then
  echo "Deployment failed"
  exit 1
fi
echo "traffic $(az ml online-endpoint show -n "$ENDPOINT" --query "traffic.blue" -o tsv)"

answer=$(az ml online-endpoint invoke --name "$ENDPOINT" --request-file request.json -o tsv)
echo "after the first deployment: $(jq -r .who <<<"$answer")"
az ml online-deployment get-logs --name blue --endpoint "$ENDPOINT" --lines 100 --output tsv |
  grep --quiet "blue is ready"
az ml online-deployment update --name blue --endpoint "$ENDPOINT" --set instance_count=2 \
  --set tags.stage=live --output none

az ml online-deployment create --name green --endpoint-name "$ENDPOINT" --file green.yml --output none
az ml online-deployment list -e "$ENDPOINT" --query "[].{Name:name, N:instance_count}" -o tsv
answer=$(az ml online-endpoint invoke --name "$ENDPOINT" --deployment green \
  --request-file request.json -o tsv)
echo "by name: $(jq -r .who <<<"$answer")"

SCORING_URI=$(az ml online-endpoint show --name "$ENDPOINT" --query scoring_uri --output tsv)
KEY=$(az ml online-endpoint get-credentials --name "$ENDPOINT" --query primaryKey --output tsv)
answer=$(curl --silent --show-error --fail --request POST "$SCORING_URI" \
  --header "Authorization: Bearer $KEY" --header 'Content-Type: application/json' \
  --header "azureml-model-deployment: green" --data @request.json)
echo "by header: $(jq -r .who <<<"$answer")"

az ml online-endpoint update --name "$ENDPOINT" --mirror-traffic "green=10" --output none
echo "mirrored $(az ml online-endpoint show -n "$ENDPOINT" --query mirror_traffic.green -o tsv)"
for _ in {1..20}; do
  curl --silent --show-error --fail --request POST "$SCORING_URI" --output /dev/null \
    --header "Authorization: Bearer $KEY" --header 'Content-Type: application/json' \
    --data @request.json
done
az ml online-endpoint update --name "$ENDPOINT" --mirror-traffic "green=0" --output none

az ml online-endpoint update --name "$ENDPOINT" --traffic "blue=90 green=10" --output none
az ml online-endpoint show -n "$ENDPOINT" --query "[[traffic.blue, traffic.green]]" -o tsv
az ml online-endpoint update --name "$ENDPOINT" --traffic "blue=0 green=100" --output none
answer=$(az ml online-endpoint invoke --name "$ENDPOINT" --request-file request.json -o tsv)
echo "after the rollout: $(jq -r .who <<<"$answer")"
az ml online-deployment delete --name blue --endpoint "$ENDPOINT" --yes

az ml online-endpoint delete --name "$ENDPOINT" --yes
if az ml online-endpoint show --name "$ENDPOINT"; then
  echo "It is still there"
  exit 1
elif [[ $? -ne 3 ]]; then
  echo "It went wrong"
  exit 1
fi
echo "done"
