package live

import (
	"encoding/json"
	"maps"
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
	var gone []*core.Pod
	rest.Pods = nil
	for _, p := range own.Pods {
		if runs(name, p) {
			gone = append(gone, p)
		} else {
			rest.Pods = append(rest.Pods, p)
		}
	}
	keys := l.selecting(name.Namespace)
	var others map[syntax.Name][]byte // what stays
	var changes []compiler.Change
	if len(gone) > 0 {
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
		if len(gone) == 0 && w.Spec.Replicas != nil && *w.Spec.Replicas == 0 {
			return nil // it runs nothing, now or then
		}
		read := readLabels(clusters, keys)
		changes = come(changes, others, c, l.wouldRun(name, &w, own, given(gone, read), read))
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

// come adds pods that would be to the changes of those that go: none for what is there
// already or stays. The first stands under the workload's own name.
func come(changes []compiler.Change, others map[syntax.Name][]byte, c compiler.Change, would []wouldBe) []compiler.Change {
	named := false
	for _, p := range would {
		before := len(changes)
		changes = slices.DeleteFunc(changes, func(x compiler.Change) bool { return *x.Object == p.fact })
		if _, alike := others[p.fact]; alike || len(changes) < before {
			continue
		}
		add, doc := compiler.Change{Path: pathOf(p.fact), Object: &p.fact}, p.pod
		if !named {
			named, add, doc = true, c, p.workload
		}
		add.Data, _ = json.Marshal(doc) // maps, texts and numbers always marshal
		changes = append(changes, add)
	}
	return changes
}

// rolloutHash is the label by which Argo tells the pods of a Rollout's templates apart.
const rolloutHash = "rollouts-pod-template-hash"

// byControllers are labels that no template has: controllers put them on the pods they
// make. A Service may select by one, as those do whose selector Argo writes.
var byControllers = []string{apps.DefaultDeploymentUniqueLabelKey, rolloutHash, apps.ControllerRevisionHashLabelKey, apps.StatefulSetPodNameLabel, apps.PodIndexLabel}

// given are such labels of some pods, as far as they are read, each set of them once. Who
// takes their place is taken to get the same: a Service that selects by them follows.
func given(pods []*core.Pod, read map[string]bool) []map[string]string {
	var out []map[string]string
	for _, p := range pods {
		labels := map[string]string{}
		for _, k := range byControllers {
			if v, ok := p.Labels[k]; ok && read[k] {
				labels[k] = v
			}
		}
		if !slices.ContainsFunc(out, func(had map[string]string) bool { return maps.Equal(had, labels) }) {
			out = append(out, labels)
		}
	}
	if len(out) == 0 {
		return []map[string]string{nil}
	}
	return out
}

// wouldBe is what a workload would run, alike pods as one: the fact that it comes to, and
// the documents of that and of the workload.
type wouldBe struct {
	fact          syntax.Name
	pod, workload record
}

// wouldRun is what would be run of a workload, once for each set of labels that its pods
// are given.
func (l *Live) wouldRun(name syntax.Name, w *workload, o *kube.Objects, given []map[string]string, read map[string]bool) []wouldBe {
	template := w.Spec.Template
	if name.Kind == "CronJob" {
		template = w.Spec.JobTemplate.Spec.Template
	}
	injecting := l.rules
	injecting.Intended = true // they are made after this, and injected then
	var out []wouldBe
	for _, more := range given {
		pod := &core.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Namespace, pod.Labels = name.Namespace, maps.Clone(template.Labels)
		if pod.Labels == nil {
			pod.Labels = map[string]string{}
		}
		maps.Copy(pod.Labels, more)
		fact, doc := podDocument(pod, injecting.Meshed(o, pod), read)
		out = append(out, wouldBe{fact: syntax.Name{Kind: "Pod", Namespace: name.Namespace, Name: fact}, pod: doc, workload: w.document(name, doc)})
	}
	return out
}

// document is the workload as the compiler is given it, with what is read of its pods.
func (w *workload) document(name syntax.Name, pod record) record {
	inner := record{"spec": pod["spec"]}
	if labels, ok := pod["metadata"].(record)["labels"]; ok {
		inner["metadata"] = record{"labels": labels}
	}
	spec := record{"template": inner}
	if name.Kind == "CronJob" {
		spec = record{"jobTemplate": record{"spec": spec}}
	}
	out := header(name.Kind, name.Namespace, name.Name)
	out["apiVersion"], out["spec"] = w.APIVersion, spec
	return out
}

// hashLabels tell the pods of a workload's templates apart, by kind.
var hashLabels = map[string]string{"Deployment": apps.DefaultDeploymentUniqueLabelKey, "Rollout": rolloutHash}

// minuteDigits are those of the minute after which a CronJob names its Jobs, since 1970:
// fewer there have not been since 1989.
const minuteDigits = 8

// runs tells whether a workload runs a pod. Those that roll out do by a ReplicaSet that is
// called after it and the hash of its template. A pod does not say of which CronJob its Job
// is: one is taken for its own by a name that looks like that.
func runs(name syntax.Name, p *core.Pod) bool {
	by := meta.GetControllerOf(p)
	if by == nil {
		return false
	}
	if label, ok := hashLabels[name.Kind]; ok {
		hash := p.Labels[label]
		return by.Kind == "ReplicaSet" && hash != "" && by.Name == name.Name+"-"+hash
	}
	if name.Kind == "CronJob" {
		minute, ok := strings.CutPrefix(by.Name, name.Name+"-")
		_, err := strconv.ParseUint(minute, 10, 64)
		return by.Kind == "Job" && ok && err == nil && len(minute) >= minuteDigits
	}
	return by.Kind == name.Kind && by.Name == name.Name
}
