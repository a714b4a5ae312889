package syntax

import "slices"

// templatePaths are where the kinds with a pod template hold it.
var templatePaths = map[string][]any{
	"CronJob": {"spec", "jobTemplate", "spec", "template"},
}

func templatePath(kind string) []any {
	if p, ok := templatePaths[kind]; ok {
		return p
	}
	return []any{"spec", "template"}
}

func decodePod(d *decoder, root *record) {
	o := d.obj
	w := &Workload{PodLabels: o.Labels, PodAnnotations: o.Annotations}
	d.podSpec(w, root.c)
	o.Workload = w
}

func decodeController(d *decoder, root *record) {
	spec := root.quiet("spec")
	w := &Workload{ServiceName: spec.quietGet("serviceName").quietText()}
	if r := spec.quietGet("replicas"); r != nil {
		n := r.quietInt()
		w.Replicas = &n
	}
	w.MatchLabels = spec.quietGet("selector", "matchLabels").quietMap()
	if d.obj.Kind == "ReplicationController" {
		w.MatchLabels = spec.quietGet("selector").quietMap()
	}
	d.template(w, root)
	d.obj.Workload = w
	if spec == nil {
		root.missing("spec")
	}
}

// template reads the pod template of a controller.
func (d *decoder) template(w *Workload, root *record) {
	path := templatePath(d.obj.Kind)
	w.TemplatePath = slices.Clone(path)
	at := root.c
	for _, step := range path {
		at = at.quietGet(step.(string))
	}
	w.PodLabels = at.quietGet("metadata", "labels").quietMap()
	w.PodAnnotations = at.quietGet("metadata", "annotations").quietMap()
	d.podSpec(w, at)
}

// podSpec reads the spec of a pod or of a pod template.
func (d *decoder) podSpec(w *Workload, pod *cursor) {
	spec := pod.quietGet("spec")
	account := spec.quietGet("serviceAccountName")
	if account == nil {
		account = spec.quietGet("serviceAccount") // the deprecated alias
	}
	if w.ServiceAccount = account.dnsSubdomain(); w.ServiceAccount == "" {
		w.ServiceAccount = "default"
	}
	w.HostNetwork = spec.quietGet("hostNetwork").quietBool()
	w.Containers = containers(spec.quietGet("containers"))
	w.InitContainers = containers(spec.quietGet("initContainers"))
}

func containers(list *cursor) []Container {
	var out []Container
	for _, c := range list.quietItems() {
		k := Container{
			Name:          c.quietGet("name").quietText(),
			Image:         c.quietGet("image").quietText(),
			Command:       c.quietGet("command").quietStrings(),
			Args:          c.quietGet("args").quietStrings(),
			RestartAlways: c.quietGet("restartPolicy").quietText() == "Always",
		}
		for _, e := range c.quietGet("env").quietItems() {
			if e.quietGet("valueFrom") == nil {
				k.Env = append(k.Env, EnvVar{e.quietGet("name").quietText(), e.quietGet("value").quietText()})
			}
		}
		for _, p := range c.quietGet("ports").quietItems() {
			port := ContainerPort{
				Name: p.quietGet("name").quietText(), Protocol: p.quietGet("protocol").quietText(),
				Port: p.quietGet("containerPort").quietPort(),
			}
			if port.Protocol == "" {
				port.Protocol = "TCP"
			}
			k.Ports = append(k.Ports, port)
		}
		out = append(out, k)
	}
	return out
}
