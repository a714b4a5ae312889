package syntax

import corev1 "k8s.io/api/core/v1"

// Rollout (Argo) and Canary (Flagger) have schemas of their own that grow from
// release to release: only what the mesh reads is judged.

var templateShape = sharedShape[corev1.PodTemplateSpec]()

func decodeRollout(d *decoder, root *record) {
	root.open = true
	w := &Workload{}
	d.obj.Workload = w
	spec := root.need("spec").record()
	if spec == nil {
		return
	}
	spec.open = true
	if v, ok := spec.get("replicas").wholeOrNil(); ok {
		w.Replicas = &v
	}
	w.MatchLabels = spec.quiet("selector").quietGet("matchLabels").quietMap()
	canary := spec.get("strategy").quietGet("canary")
	w.CanaryService = canary.quietGet("canaryService").dnsLabel()
	w.StableService = canary.quietGet("stableService").dnsLabel()
	if ref := spec.get("workloadRef").record(); ref != nil {
		ref.open = true
		w.TemplateRef = &TypedRef{
			APIGroup: group(ref.get("apiVersion").text()),
			Kind:     ref.need("kind").text(), Name: ref.need("name").dnsSubdomain(),
		}
	}
	if t := spec.get("template"); t != nil {
		t.check(templateShape())
	}
	d.template(w, root)
}

// wholeOrNil is whole for a field that may be absent.
func (c *cursor) wholeOrNil() (int64, bool) {
	if c == nil {
		return 0, false
	}
	return c.whole()
}

func decodeCanary(d *decoder, root *record) {
	root.open = true
	out := &Canary{}
	d.obj.Canary = out
	spec := root.need("spec").record()
	if spec == nil {
		return
	}
	spec.open = true
	if ref := spec.need("targetRef").record(); ref != nil {
		ref.open = true
		out.TargetKind = ref.need("kind").text()
		out.TargetName = ref.need("name").dnsSubdomain()
	}
	out.ServiceName = out.TargetName
	if s := spec.need("service").record(); s != nil {
		s.open = true
		if name := s.get("name").dnsLabel(); name != "" {
			out.ServiceName = name
		}
		if p := s.need("port"); p != nil {
			out.Port = p.port()
		}
		if t := s.get("targetPort"); t != nil {
			if _, whole := wholeNumber(t.n); whole {
				out.TargetPort = t.port()
			} else {
				out.TargetPortName = t.text()
			}
		}
		out.PortName = s.get("portName").text()
		out.AppProtocol = s.get("appProtocol").text()
	}
}
