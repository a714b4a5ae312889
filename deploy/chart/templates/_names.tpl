{{- define "meshc.labels" -}}
app.kubernetes.io/name: meshc-controller
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: meshc
app.kubernetes.io/version: {{ quote .Chart.AppVersion }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "meshc.selector" -}}
app.kubernetes.io/name: meshc-controller
app.kubernetes.io/part-of: meshc
{{- end }}

{{- /* Where no webhook of ours ever asks: a control plane must be able to start, and to be mended. */ -}}
{{- define "meshc.never" -}}
key: kubernetes.io/metadata.name
operator: NotIn
values:
- {{ .Release.Namespace }}
- kube-system
{{- end }}

{{- define "meshc.client" -}}
clientConfig:
  service:
    name: meshc-controller
    namespace: {{ .Release.Namespace }}
    path: {{ .Path }}
    port: 443
admissionReviewVersions:
- v1
sideEffects: None
matchPolicy: Equivalent
timeoutSeconds: {{ .Timeout }}
{{- end }}

{{- define "meshc.injectcert" -}}
{{- if .Values.webhooks.certManager.enabled }}
  annotations:
    cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/meshc-webhooks
{{- end }}
{{- end }}

{{- /* What runs applications: of Jobs not that they go, since they end by themselves. */ -}}
{{- define "meshc.workloads" -}}
- apiGroups: [apps]
  apiVersions: [v1]
  resources: [daemonsets, deployments, statefulsets]
  operations: [CREATE, UPDATE, DELETE]
  scope: Namespaced
- apiGroups: [argoproj.io]
  apiVersions: [v1alpha1]
  resources: [rollouts]
  operations: [CREATE, UPDATE, DELETE]
  scope: Namespaced
- apiGroups: [batch]
  apiVersions: [v1]
  resources: [cronjobs]
  operations: [CREATE, UPDATE, DELETE]
  scope: Namespaced
- apiGroups: [batch]
  apiVersions: [v1]
  resources: [jobs]
  operations: [CREATE, UPDATE]
  scope: Namespaced
{{- end }}
