{{- define "idp.name" -}}{{ .Release.Name }}-idp{{- end -}}
{{- define "idp.labels" -}}
app.kubernetes.io/name: school-idp
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
{{- define "idp.selector" -}}
app.kubernetes.io/name: school-idp
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}
{{- define "idp.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
{{/* A container of ours: root and what is dict "root" . "settings" (more variables) */}}
{{- define "idp.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: state, mountPath: /var/lib/idp}
  - {name: temporary, mountPath: /tmp}
  - {name: secrets, mountPath: /run/secrets/idp, readOnly: true}
{{- end -}}
{{- define "idp.environment" -}}
- {name: IDP_ISSUER, value: {{ required "settings.IDP_ISSUER is needed" .Values.settings.IDP_ISSUER | quote }}}
- {name: DATABASE_URL_FILE, value: /run/secrets/idp/database_url}
{{- range tuple "session_secret" "password_pepper" "token_hash_key" "subject_key" "mail_password" }}
- {name: IDP_{{ upper . }}_FILE, value: /run/secrets/idp/{{ . }}}
{{- end }}
{{- if not (include "idp.keysInFolder" .) }}
- {name: IDP_KEYS_ENCRYPTION_KEY_FILE, value: /run/secrets/idp/keys_encryption_key}
{{- end }}
{{- range $name, $value := omit .Values.settings "IDP_ISSUER" }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}
{{- define "idp.volumes" -}}
- {name: state, emptyDir: {sizeLimit: 1Gi}}
- {name: temporary, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
- name: secrets
  secret: {secretName: {{ required "existingSecret is needed" .Values.existingSecret | quote }}, defaultMode: 0440}
{{- if include "idp.keysInFolder" . }}
- name: keys
  secret: {secretName: {{ required "existingKeys is needed" .Values.existingKeys | quote }}, defaultMode: 0440}
{{- end }}
{{- end -}}
{{- define "idp.keysInFolder" -}}
{{- if ne (default "folder" .Values.settings.IDP_KEYS_IN) "database" }}yes{{ end -}}
{{- end -}}
{{/* Keys have to be their user's alone (0600), which a mounted Secret never is */}}
{{- define "idp.keys" -}}
- name: keys
  {{- if include "idp.keysInFolder" . }}
  command: [sh, -ec, "install -d -m 700 keys spool && install -m 600 /run/secrets/keys/* keys/"]
  {{- include "idp.container" . | nindent 2 }}
    - {name: keys, mountPath: /run/secrets/keys, readOnly: true}
  {{- else }}
  command: [install, -d, -m, "700", keys, spool]
  {{- include "idp.container" . | nindent 2 }}
  {{- end }}
  workingDir: /var/lib/idp
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
{{- end -}}
{{/* A worker whose loop hangs is started again; one that waits, or works for long, is not */}}
{{- define "idp.heartbeat" -}}
livenessProbe:
  exec: {command: [idp, alive, /tmp/alive]}
  initialDelaySeconds: 60
  periodSeconds: 60
  timeoutSeconds: 30
  failureThreshold: 2
{{- end -}}
{{/* What Prometheus asks a process of ours for, at a port of its own in its pod */}}
{{- define "idp.metricsSettings" -}}
- {name: IDP_METRICS_PORT, value: {{ . | quote }}}
- {name: IDP_METRICS_HOST, value: "0.0.0.0"}
{{- end -}}
{{/* A container that reads or writes backups */}}
{{- define "idp.besideBackups" -}}
workingDir: /var/lib/idp
{{ include "idp.container" . }}
  - {name: backups, mountPath: /var/lib/idp/backups}
env: {{- include "idp.environment" . | nindent 2 }}
  - {name: IDP_BACKUP_KEY_FILE, value: /run/secrets/idp/backup_key}
resources: {{- toYaml .Values.worker.resources | nindent 2 }}
{{- end -}}
{{- define "idp.volumesAndBackups" -}}
{{ include "idp.volumes" . }}
- name: backups
  persistentVolumeClaim:
    claimName: {{ required "backup.existingClaim is needed" .Values.backup.existingClaim | quote }}
{{- end -}}
{{/* What comes in at these ports: a rule with an empty `from` would let in everybody, so none is made */}}
{{- define "idp.letIn" -}}
{{- with .namespaces }}
  ingress:
    - from:
        {{- range . }}
        - namespaceSelector: {{- toYaml . | nindent 12 }}
        {{- end }}
      ports: {{ $.ports }}
{{- end }}
{{- end -}}
