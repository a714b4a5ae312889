package validate

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// workloadKinds are the kinds whose pod templates are judged, by group: what of them
// says whose pods they are, which services have them, and on what ports.
var workloadKinds = map[string][]string{
	"apps":        {"DaemonSet", "Deployment", "StatefulSet"},
	"argoproj.io": {"Rollout"},
	"batch":       {"CronJob", "Job"},
}

func isWorkload(k GroupKind) bool { return slices.Contains(workloadKinds[k.Group], k.Kind) }

// workload is what of one is judged. Images, probes, volumes and whatever else rolls
// pods out is nothing to a mesh.
type workload struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   workloadMeta `json:"metadata"`
	Spec       struct {
		Replicas    *int32    `json:"replicas,omitempty"`
		Template    *template `json:"template,omitempty"`
		JobTemplate *struct { // of a CronJob
			Spec struct {
				Template *template `json:"template,omitempty"`
			} `json:"spec"`
		} `json:"jobTemplate,omitempty"`
	} `json:"spec"`
}

// template is what a workload says of its pods, nil where it says it elsewhere: of a
// Rollout that names a Deployment instead, what runs is judged and nothing before.
func (w *workload) template() *template {
	if w.Kind != "CronJob" {
		return w.Spec.Template
	}
	if w.Spec.JobTemplate == nil {
		return nil
	}
	return w.Spec.JobTemplate.Spec.Template
}

type template struct {
	Metadata struct {
		Labels      map[string]string `json:"labels,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	} `json:"metadata"`
	Spec podTemplate `json:"spec"`
}

type workloadMeta struct {
	Name         string `json:"name,omitempty"`
	GenerateName string `json:"generateName,omitempty"`
	Namespace    string `json:"namespace,omitempty"`
}

type podTemplate struct {
	ServiceAccountName string      `json:"serviceAccountName,omitempty"`
	HostNetwork        bool        `json:"hostNetwork,omitempty"`
	InitContainers     []container `json:"initContainers,omitempty"`
	Containers         []container `json:"containers"`
}

type container struct {
	Name          string          `json:"name"`
	RestartPolicy string          `json:"restartPolicy,omitempty"`
	Ports         []containerPort `json:"ports,omitempty"`
}

type containerPort struct {
	Name          string `json:"name,omitempty"`
	ContainerPort int32  `json:"containerPort"`
	Protocol      string `json:"protocol,omitempty"`
}

// readWorkload reads one as the API server has it.
func readWorkload(raw json.RawMessage, r *Request) (*workload, error) {
	var w workload
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, err
	}
	w.APIVersion, w.Kind = r.Kind.Group+"/"+r.Kind.Version, r.Kind.Kind
	if w.Metadata.Name == "" {
		w.Metadata.Name = w.Metadata.GenerateName + "new" // its name is made after this
	}
	w.Metadata.GenerateName, w.Metadata.Namespace = "", r.Namespace
	pod := w.template()
	if pod == nil {
		return &w, nil
	}
	for name := range pod.Metadata.Annotations {
		if !injectionReads(name) {
			delete(pod.Metadata.Annotations, name) // `kubectl rollout restart` writes one
		}
	}
	if len(pod.Metadata.Annotations) == 0 {
		pod.Metadata.Annotations = nil
	}
	return &w, nil
}

// injectionReads tells whether an annotation of pods may say whether they are injected.
func injectionReads(name string) bool {
	return strings.HasPrefix(name, "meshc.dev/") || strings.HasPrefix(name, "openservicemesh.io/")
}

// judgedWorkload is a workload as it would be, as JSON, and its name; no data where it
// goes. The answer is false where its pods stay what they are: most of what is asked is
// about replicas, images and what controllers note.
func judgedWorkload(r *Request) (data []byte, name string, differs bool, err error) {
	if r.Kind.Kind == "Job" && (r.Operation == "DELETE" || r.UserInfo.Username == cronJobs) {
		return nil, r.Name, false, nil // it ends by itself; and of a CronJob the template was judged
	}
	if r.Operation == "DELETE" {
		return nil, r.Name, !r.orphans() && !slices.Contains(cleaners, r.UserInfo.Username), nil
	}
	now, err := readWorkload(r.Object, r)
	if err != nil {
		return nil, r.Name, true, err
	}
	if now.template() == nil {
		return nil, r.Name, false, nil
	}
	if data, err = json.Marshal(now); err != nil {
		return nil, r.Name, true, err
	}
	name = now.Metadata.Name
	if r.Operation == "CREATE" {
		return data, name, true, nil
	}
	old, err := readWorkload(r.OldObject, r)
	if err != nil {
		return data, name, true, nil
	}
	a, errA := json.Marshal(old.template())
	b, errB := json.Marshal(now.template())
	return data, name, errA != nil || errB != nil || !bytes.Equal(a, b), nil
}

// orphans tells whether what goes leaves its pods behind.
func (r *Request) orphans() bool {
	var o struct {
		PropagationPolicy string `json:"propagationPolicy"`
	}
	return json.Unmarshal(r.Options, &o) == nil && o.PropagationPolicy == "Orphan"
}

// unserved tells whether a policy would no longer get what it names by a change of an
// application: nobody found that with it before. A build only warns of much of that,
// since its tree may lack what runs; here what runs is what changes.
func unserved(f diag.Finding, own string) bool {
	if f.Object == nil || f.Severity < diag.Warning || f.At().File == own {
		return false
	}
	_, policy := kindOf(GroupKind{Group: f.Object.Group, Kind: f.Object.Kind})
	return policy
}

// cronJobs makes the Jobs of CronJobs.
const cronJobs = "system:serviceaccount:kube-system:cronjob-controller"

// cleaners delete what is left of something that somebody was let delete already.
var cleaners = []string{"system:serviceaccount:kube-system:namespace-controller", "system:serviceaccount:kube-system:generic-garbage-collector"}

// nameOf is the name by which the compiler has the object of a request.
func nameOf(r *Request) syntax.Name {
	if r.Kind.Kind == "Namespace" {
		return syntax.Name{Kind: r.Kind.Kind, Name: r.Name}
	}
	return syntax.Name{Kind: r.Kind.Kind, Namespace: r.Namespace, Name: r.Name}
}
