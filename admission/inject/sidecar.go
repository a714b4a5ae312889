package inject

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/admission/tree"
	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/dataplane/cni"
)

// Where the pod's token and what it trusts stand in the proxy.
const (
	mountPath   = "/var/run/meshc"
	tokenFile   = "token"
	caFile      = "ca.crt"
	secretsFile = "secrets.json"
	rootsFile   = "roots.json"
)

// tokenLife is how long a token lives; kubelets renew it at four fifths.
const tokenLife = 3600

// The kubelet puts these in when it starts the proxy.
const (
	podIP   = "MESHC_POD_IP"
	podName = "MESHC_POD_NAME"
)

// bootstrapOptions are where everything is in a pod.
func bootstrapOptions() bootstrap.Options {
	return bootstrap.Options{
		TokenFile: mountPath + "/" + tokenFile, SecretsFile: mountPath + "/" + secretsFile,
		CAFile: mountPath + "/" + caFile, CASecretFile: mountPath + "/" + rootsFile,
	}
}

// Trust is the data of the ConfigMap that every namespace of the mesh needs: the
// authority of the control plane, in PEM, and what tells Envoy to watch its files.
func Trust(roots []byte) (map[string]string, error) {
	secrets, err := bootstrap.Secrets(bootstrapOptions())
	if err != nil {
		return nil, err
	}
	authority, err := bootstrap.Authority(bootstrapOptions())
	if err != nil {
		return nil, err
	}
	return map[string]string{caFile: string(roots), secretsFile: string(secrets), rootsFile: string(authority)}, nil
}

// Not variables yet while a bootstrap is written: what the pod says must not be expanded.
const ipMark, nameMark = "\x01ip", "\x01name"

// expandable has the kubelet expand $(NAME) for these, and nothing else.
var expandable = strings.NewReplacer("$", "$$", `\u0001ip`, "$("+podIP+")", `\u0001name`, "$("+podName+")")

// config is the proxy's bootstrap as an argument.
func (i *injection) config(probes []bootstrap.Probe) (string, error) {
	o := bootstrapOptions()
	o.Identity = i.identity()
	o.ControlPlane, o.ServerName = i.settings.ControlPlane, i.settings.ServerName
	o.Workload = i.ns.Name + "/" + nameMark
	o.Hold, o.Ready, o.PodIP, o.Probes = i.options.hold, true, ipMark, probes
	return written.argument(o)
}

// proxy is the container with Envoy.
func (i *injection) proxy(probes []bootstrap.Probe) (Object, error) {
	config, err := i.config(probes)
	if err != nil {
		return nil, err
	}
	o, s := i.options, i.settings
	env := []any{field(podIP, "status.podIP"), field(podName, "metadata.name")}
	for _, pair := range bootstrap.Env(i.identity()) {
		key, value, _ := strings.Cut(pair, "=")
		env = append(env, Object{"name": key, "value": value})
	}
	c := Object{
		"name": ProxyContainer, "image": o.image,
		"command": []any{"envoy"},
		"args": []any{"--config-yaml", config, "--log-level", o.logLevel, "--concurrency", o.concurrency,
			"--disable-hot-restart", "--drain-time-s", fmt.Sprint(max(1, int(s.Drain.Seconds())))},
		"env":          env,
		"ports":        []any{Object{"name": "meshc-metrics", "containerPort": metricsPort, "protocol": "TCP"}},
		"resources":    resources(o.resources),
		"volumeMounts": []any{Object{"name": volumeName, "mountPath": mountPath, "readOnly": true}},
		"securityContext": Object{
			"runAsUser": ProxyUID, "runAsGroup": ProxyUID, "runAsNonRoot": true,
			"allowPrivilegeEscalation": false, "privileged": false, "readOnlyRootFilesystem": true,
			"capabilities":   Object{"drop": []any{"ALL"}},
			"seccompProfile": Object{"type": "RuntimeDefault"},
		},
		"readinessProbe": ready(5, 3),
	}
	pulled(c, s.PullPolicy)
	switch {
	case o.form == Native && o.hold:
		c["restartPolicy"] = "Always"
		c["startupProbe"] = ready(1, 600) // the containers after it wait for it
	case o.form == Native:
		c["restartPolicy"] = "Always"
	default:
		// Beside the application it is told to end at the same time: it stays until
		// what was under way is answered, as far as the pod's own patience goes.
		if stay := min(int64(s.Drain.Seconds()), i.grace()-1); stay > 0 {
			c["lifecycle"] = Object{"preStop": Object{"sleep": Object{"seconds": stay}}}
		}
	}
	return c, nil
}

// grace is how many seconds the pod may take to end.
func (i *injection) grace() int64 {
	if n, ok := tree.Whole(at(i.spec, "terminationGracePeriodSeconds")); ok {
		return n
	}
	return 30 // Kubernetes' default
}

func ready(period, failures int) Object {
	return Object{
		"httpGet":       Object{"path": "/ready", "port": probePort},
		"periodSeconds": period, "timeoutSeconds": 1, "failureThreshold": failures,
	}
}

func field(name, path string) Object {
	return Object{"name": name, "valueFrom": Object{"fieldRef": Object{"fieldPath": path}}}
}

func pulled(c Object, policy string) {
	if policy != "" {
		c["imagePullPolicy"] = policy
	}
}

func resources(r map[string]string) Object {
	out := Object{}
	for name, value := range r {
		resource, bound, _ := strings.Cut(name, "-")
		ensured(out, bound+"s")[resource] = value
	}
	return out
}

// place puts everything where it belongs in the pod.
func (i *injection) place(proxy Object) {
	spec := ensured(i.pod, "spec")
	inits, _ := spec["initContainers"].([]any)
	if i.options.form == Native {
		// Init containers that come after it call out by way of the proxy.
		spec["initContainers"] = append([]any{i.interception(), proxy}, inits...)
	} else {
		// There is no proxy yet while init containers run: they run before interception.
		spec["initContainers"] = append(slices.Clone(inits), i.interception())
		containers, _ := spec["containers"].([]any)
		spec["containers"] = append([]any{proxy}, containers...)
	}
	volumes, _ := spec["volumes"].([]any)
	spec["volumes"] = append(slices.Clone(volumes), i.volume())
	meta := ensured(i.pod, "metadata")
	ensured(meta, "labels")[InjectedLabel] = "true"
	notes := ensured(meta, "annotations")
	i.scraped(notes)
	if i.settings.Interception == ByCNI {
		notes[cni.Annotation] = i.forPlugin()
	}
	raw, err := json.Marshal(i.record)
	if err != nil { // it holds nothing that JSON cannot
		raw = []byte("{}")
	}
	notes[recordAnnotation] = string(raw)
}

func (i *injection) volume() Object {
	key := func(name string) Object { return Object{"key": name, "path": name} }
	return Object{"name": volumeName, "projected": Object{"defaultMode": 0o444, "sources": []any{
		Object{"serviceAccountToken": Object{"audience": i.settings.Audience, "expirationSeconds": tokenLife, "path": tokenFile}},
		Object{"configMap": Object{"name": i.settings.TrustBundle, "items": []any{key(caFile), key(secretsFile), key(rootsFile)}}},
	}}}
}

// scraped asks Prometheus to come, unless the pod says something of its own.
func (i *injection) scraped(notes Object) {
	on := i.settings.Metrics
	for _, word := range []string{i.ns.Annotations[osmMetrics], i.ns.Annotations[meshMetrics], text(notes, meshMetrics)} {
		switch word {
		case "enabled":
			on = true
		case "disabled":
			on = false
		}
	}
	if _, own := notes["prometheus.io/scrape"]; own || !on {
		return
	}
	for _, pair := range [][2]string{{"prometheus.io/scrape", "true"}, {"prometheus.io/port", fmt.Sprint(metricsPort)}, {"prometheus.io/path", "/stats/prometheus"}} {
		if _, own := notes[pair[0]]; !own {
			notes[pair[0]] = pair[1]
			i.record.Annotations = append(i.record.Annotations, pair[0])
		}
	}
}
