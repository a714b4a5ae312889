package live

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// workload is what one says of its pods.
type workload struct {
	APIVersion string `json:"apiVersion"`
	Spec       struct {
		Replicas    *int32               `json:"replicas"`
		Template    core.PodTemplateSpec `json:"template"`
		JobTemplate struct {             // of a CronJob
			Spec struct {
				Template core.PodTemplateSpec `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
}

// tryWorkload tells what would be found once the pods of a workload are as it would say.
// The session has pods, alike ones as one: those that nobody else runs go, and the
// workload comes in their place, so that findings name what somebody wrote.
func (l *Live) tryWorkload(name syntax.Name, c compiler.Change) diag.List {
	clusters := l.Catalog().Objects(name.Namespace)
	if len(clusters) == 0 || l.rules.MeshOf(clusters[0]) != l.opts.Mesh {
		return nil
	}
	own, rest := clusters[0], *clusters[0]
	rest.Pods = slices.DeleteFunc(slices.Clone(own.Pods), func(p *core.Pod) bool { return runs(name, p) })
	gone, keys := len(rest.Pods) < len(own.Pods), l.selecting(name.Namespace)
	var others map[syntax.Name][]byte // what stays
	var changes []compiler.Change
	if gone {
		others = facts(name.Namespace, append([]*kube.Objects{&rest}, clusters[1:]...), l.rules, keys)
		for n := range facts(name.Namespace, clusters, l.rules, keys) {
			if _, stays := others[n]; n.Kind == "Pod" && !stays {
				changes = append(changes, compiler.Change{Path: pathOf(n), Object: &n})
			}
		}
	}
	if c.Data != nil {
		var w workload
		if json.Unmarshal(c.Data, &w) != nil {
			return l.policy.session.Try(c) // the decoder says what is wrong with it
		}
		if !gone && w.Spec.Replicas != nil && *w.Spec.Replicas == 0 {
			return nil // it runs nothing, now or then
		}
		pod, doc := l.wouldRun(name, &w, own, readLabels(clusters, keys))
		before := len(changes)
		changes = slices.DeleteFunc(changes, func(x compiler.Change) bool { return *x.Object == pod })
		_, alike := others[pod]
		if !alike && len(changes) == before {
			data, err := json.Marshal(doc)
			if err != nil {
				return l.policy.session.Try(c)
			}
			changes = append(changes, compiler.Change{Path: c.Path, Data: data, Object: &name})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	slices.SortFunc(changes, func(a, b compiler.Change) int { return strings.Compare(a.Object.Name, b.Object.Name) })
	found, ok := l.judged(nil, changes...)
	if !ok {
		return diag.List{notLoaded(c.Path)}
	}
	return found
}

// wouldRun is the workload as the compiler is given it, with what is read of its pods,
// and the name of the fact that they would be.
func (l *Live) wouldRun(name syntax.Name, w *workload, o *kube.Objects, read map[string]bool) (syntax.Name, record) {
	template := w.Spec.Template
	if name.Kind == "CronJob" {
		template = w.Spec.JobTemplate.Spec.Template
	}
	pod := &core.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace = name.Namespace
	injecting := l.rules
	injecting.Intended = true // they are made after this, and injected then
	fact, doc := podDocument(pod, injecting.Meshed(o, pod), read)
	inner := record{"spec": doc["spec"]}
	if labels, ok := doc["metadata"].(record)["labels"]; ok {
		inner["metadata"] = record{"labels": labels}
	}
	whole := header(name.Kind, name.Namespace, name.Name)
	spec := record{"template": inner}
	if name.Kind == "CronJob" {
		spec = record{"jobTemplate": record{"spec": spec}}
	}
	whole["apiVersion"], whole["spec"] = w.APIVersion, spec
	return syntax.Name{Kind: "Pod", Namespace: name.Namespace, Name: fact}, whole
}

// hashes are the labels by which pods of a workload that rolls out are told apart, by kind.
var hashes = map[string]string{"Deployment": apps.DefaultDeploymentUniqueLabelKey, "Rollout": "rollouts-pod-template-hash"}

// runs tells whether a workload runs a pod. Those that roll out do by a ReplicaSet that is
// called after it and the hash of its template, a CronJob by Jobs called after it and the
// minute of each.
func runs(name syntax.Name, p *core.Pod) bool {
	by := meta.GetControllerOf(p)
	if by == nil {
		return false
	}
	if label, ok := hashes[name.Kind]; ok {
		hash := p.Labels[label]
		return by.Kind == "ReplicaSet" && hash != "" && by.Name == name.Name+"-"+hash
	}
	if name.Kind == "CronJob" {
		minute, ok := strings.CutPrefix(by.Name, name.Name+"-")
		_, err := strconv.ParseUint(minute, 10, 64)
		return by.Kind == "Job" && ok && err == nil
	}
	return by.Kind == name.Kind && by.Name == name.Name
}
