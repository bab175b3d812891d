{{- define "outlay.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{/* Labels that never change: selectors. Called with (dict "root" $ "part" "collector"). */}}
{{- define "outlay.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "outlay.labels" -}}
{{ include "outlay.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "outlay.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "outlay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "outlay.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end -}}
{{- end }}

{{/* What every pod of ours has in common. */}}
{{- define "outlay.pod" -}}
serviceAccountName: {{ include "outlay.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.podSecurity.runAsUser }}
  runAsGroup: {{ .Values.podSecurity.runAsGroup }}
  fsGroup: {{ .Values.podSecurity.runAsGroup }}
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "outlay.container" -}}
image: {{ include "outlay.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: tmp
    mountPath: /tmp
{{- end }}

{{- define "outlay.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- end }}

{{/* The database and what all parts agree on, as environment. */}}
{{- define "outlay.env" -}}
{{- if .Values.bundledPostgres.enabled }}
- name: OUTLAY_DATABASE_URL
  value: postgresql://outlay@{{ include "outlay.name" . }}-postgres:5432/outlay
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.bundledPostgres.existingSecret }}
      key: {{ .Values.bundledPostgres.secretKey }}
{{- else }}
- name: OUTLAY_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.existingSecret }}
      key: {{ .Values.database.secretKey }}
{{- with .Values.database.readSecretKey }}
- name: OUTLAY_READ_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.database.existingSecret }}
      key: {{ . }}
{{- end }}
{{- end }}
- name: OUTLAY_CURRENCY
  value: {{ .Values.settings.currency | quote }}
- name: OUTLAY_RETENTION
  value: {{ .Values.settings.retention | quote }}
- name: OUTLAY_CONTENT
  value: {{ .Values.settings.content | quote }}
{{ include "outlay.commonEnv" . }}
{{- end }}

{{- define "outlay.commonEnv" -}}
- name: OUTLAY_TIME_ZONE
  value: {{ .Values.settings.timeZone | quote }}
{{- range $name, $value := .Values.settings.extraEnv }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Pods of one part on different nodes and zones, as far as that goes. */}}
{{- define "outlay.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "outlay.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "outlay.placement" -}}
{{- range $name := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $ $name }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
