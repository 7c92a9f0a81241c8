{{/* Everything is named <release>-<part>. */}}
{{- define "caffeine.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Labels of an object: (dict "root" $ "part" "gateway") */}}
{{- define "caffeine.labels" -}}
{{ include "caffeine.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "caffeine.selector" -}}
app.kubernetes.io/name: caffeinecode
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* All pods of the release, whatever part. */}}
{{- define "caffeine.everyone" -}}
app.kubernetes.io/name: caffeinecode
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* (dict "root" $ "image" "caffeine" "digest" "sha256:…") */}}
{{- define "caffeine.image" -}}
{{- $image := .root.Values.image -}}
{{ $image.registry }}/{{ .image }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* What every pod has: nobody's account, no root, nothing to gain. */}}
{{- define "caffeine.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ . }}
{{- end }}{{ end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "caffeine.container" -}}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* Pods of a part on different nodes and zones, as far as there are some: (dict "root" $ "part" "gateway") */}}
{{- define "caffeine.spread" -}}
topologySpreadConstraints:
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "caffeine.selector" $ | nindent 8 }}
{{- end }}
{{- end }}

{{/* Who a program is to the broker: (dict "root" $ "key" "gateway.nk") gives a mounted file of the identities' Secret. */}}
{{- define "caffeine.nats" -}}
- { name: CAFFEINE_NATS_URL, value: {{ .Values.nats.url | quote }} }
- { name: CAFFEINE_NATS_NKEY_FILE, value: /identity/nkey }
{{- with .Values.nats.prefix }}
- { name: CAFFEINE_NATS_PREFIX, value: {{ . | quote }} }
{{- end }}
{{- end }}

{{/* The file of trusted authorities, if there is one. */}}
{{- define "caffeine.trust.env" -}}
{{- if .Values.trustedAuthorities.configMap }}
- { name: SSL_CERT_FILE, value: /authorities/ca.crt }
{{- end }}
{{- end }}
{{- define "caffeine.trust.mount" -}}
{{- if .Values.trustedAuthorities.configMap }}
- { name: authorities, mountPath: /authorities, readOnly: true }
{{- end }}
{{- end }}
{{- define "caffeine.trust.volume" -}}
{{- with .Values.trustedAuthorities }}{{ if .configMap }}
- name: authorities
  configMap:
    name: {{ .configMap }}
    items: [{ key: {{ .key }}, path: ca.crt }]
{{- end }}{{ end }}
{{- end }}

{{/* Whether a part's number of pods is somebody else's decision. */}}
{{- define "caffeine.scaled" -}}
{{- if and (ne .root.Values.scaling.mode "none") (or (eq .part "gateway") (hasKey .root.Values.scaling.stages .part)) }}yes{{ end -}}
{{- end }}

{{/* Three quarters of a volume's size, in bytes. */}}
{{- define "caffeine.threequarters" -}}
{{- $factors := dict "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "M" 1000000 "G" 1000000000 "T" 1000000000000 -}}
{{- $unit := regexFind "[MGT]i?$" . -}}
{{- div (mul (trimSuffix $unit . | int64) (get $factors $unit | int64) 3) 4 -}}
{{- end }}

{{/* Secrets that only one service has, as a list of name, key, variable and file. */}}
{{- define "caffeine.secrets" -}}
{{- $values := .root.Values -}}
{{- if eq .part "gateway" }}
- { secret: {{ $values.gateway.adminToken.secret }}, key: {{ $values.gateway.adminToken.key }}, variable: CAFFEINE_GATEWAY_ADMIN_TOKEN_FILE, file: admin-token }
{{- end }}
{{- if and (eq .part "gateway") $values.gateway.sessionKeys.secret }}
- { secret: {{ $values.gateway.sessionKeys.secret }}, key: {{ $values.gateway.sessionKeys.key }}, variable: CAFFEINE_GATEWAY_SESSION_KEYS_FILE, file: session-keys }
{{- end }}
{{- if and (eq .part "gateway") $values.gateway.webhookKey.secret }}
- { secret: {{ $values.gateway.webhookKey.secret }}, key: {{ $values.gateway.webhookKey.key }}, variable: CAFFEINE_GATEWAY_WEBHOOK_KEY_FILE, file: webhook-key }
{{- end }}
{{- if and (eq .part "gateway") $values.gateway.signIn.clientSecret.secret }}
- { secret: {{ $values.gateway.signIn.clientSecret.secret }}, key: {{ $values.gateway.signIn.clientSecret.key }}, variable: CAFFEINE_GATEWAY_OIDC_CLIENT_SECRET_FILE, file: client-secret }
{{- end }}
{{- if and (eq .part "cloner") $values.cloner.credentialKey.secret }}
- { secret: {{ $values.cloner.credentialKey.secret }}, key: {{ $values.cloner.credentialKey.key }}, variable: CAFFEINE_CLONER_CREDENTIAL_KEY_FILE, file: credential-key }
{{- end }}
{{- if and (eq .part "doc-writer") $values.docWriter.modelKey.secret }}
- { secret: {{ $values.docWriter.modelKey.secret }}, key: {{ $values.docWriter.modelKey.key }}, variable: CAFFEINE_DOC_WRITER_ANTHROPIC_API_KEY_FILE, file: model-key }
{{- end }}
{{- end }}

{{/* What only the gateway is told, besides its secrets. */}}
{{- define "caffeine.gateway.env" -}}
{{- with .Values.gateway }}
{{- $url := .publicUrl }}
{{- if and (not $url) $.Values.ingress.enabled }}{{ $url = printf "https://%s" $.Values.ingress.host }}{{ end }}
{{- with $url }}
- { name: CAFFEINE_GATEWAY_PUBLIC_URL, value: {{ . | quote }} }
{{- end }}
{{- with .credentialPublicKey }}
- { name: CAFFEINE_GATEWAY_CREDENTIAL_PUBLIC_KEY, value: {{ . | quote }} }
{{- end }}
{{- with .trustedProxies }}
- { name: CAFFEINE_GATEWAY_TRUSTED_PROXIES, value: {{ join "," . | quote }} }
{{- end }}
{{- with .signIn }}{{ if .issuer }}
- { name: CAFFEINE_GATEWAY_OIDC_ISSUER, value: {{ .issuer | quote }} }
- { name: CAFFEINE_GATEWAY_OIDC_CLIENT_ID, value: {{ .clientId | quote }} }
- { name: CAFFEINE_GATEWAY_OIDC_ROLES_CLAIM, value: {{ .rolesClaim | quote }} }
{{- with .roles }}
- { name: CAFFEINE_GATEWAY_OIDC_ROLES, value: {{ join "," . | quote }} }
{{- end }}
{{- end }}{{ end }}
{{- end }}
{{- end }}
