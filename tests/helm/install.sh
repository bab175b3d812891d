#!/bin/sh
# Puts into .tools what the chart is tested with: helm, built from its source by the Go client, and the schemas of Kubernetes,
# of the Prometheus operator and of CloudNativePG, out of their Go modules.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || { echo "Go is needed to install helm; none is on this machine." >&2; exit 1; }
helm=v3.19.0 kubernetes=v1.34.1 prometheus_operator=v0.85.0 cloudnative_pg=v1.27.0

mkdir -p .tools/bin .tools/kubernetes
[ -x .tools/bin/helm ] || { echo "Building helm $helm"; GOBIN="$PWD/.tools/bin" go install "helm.sh/helm/v3/cmd/helm@$helm"; }

# Out of any module, so that no go.mod of ours is asked for.
folder() { (cd /tmp && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'; }
fetch() { # file, module, path within it
  [ -s ".tools/kubernetes/$1" ] || { echo "Fetching $1 from $2"; cp "$(folder "$2")/$3" ".tools/kubernetes/$1"; chmod u+w ".tools/kubernetes/$1"; }
}
fetch "kubernetes-$kubernetes.json" "k8s.io/kubernetes@$kubernetes" api/openapi-spec/swagger.json
operator=github.com/prometheus-operator/prometheus-operator@$prometheus_operator
for kind in servicemonitors prometheusrules; do
  fetch "$kind.yaml" "$operator" "example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml"
done
fetch clusters.yaml "github.com/cloudnative-pg/cloudnative-pg@$cloudnative_pg" config/crd/bases/postgresql.cnpg.io_clusters.yaml
