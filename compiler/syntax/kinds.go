package syntax

import (
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// kind is how the objects of a kind are read.
type kind struct {
	versions []string
	decode   func(d *decoder, root *record)
	// core is the Go type that unknown fields and wrong types are judged by; nil for
	// kinds that decode themselves strictly.
	core    reflect.Type
	cluster bool // not in a namespace
}

func coreKind[T any](decode func(*decoder, *record), versions ...string) kind {
	return kind{versions: versions, decode: decode, core: reflect.TypeFor[T]()}
}

var (
	alpha1to4 = []string{"v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"}
	alpha4    = []string{"v1alpha4"}
)

const meshGroup = "meshc.dev"

// groups are the kinds that are read, by group. In the groups of closed an
// unknown kind is an error; elsewhere it is passed over.
var groups = map[string]map[string]kind{
	"access.smi-spec.io": {
		"TrafficTarget":   {versions: alpha1to4, decode: decodeTarget},
		"IdentityBinding": {versions: alpha4, decode: decodeBinding},
	},
	"specs.smi-spec.io": {
		"HTTPRouteGroup": {versions: alpha1to4, decode: decodeRouteGroup},
		"TCPRoute":       {versions: alpha1to4, decode: decodePortRoute},
		"UDPRoute":       {versions: alpha4, decode: decodePortRoute},
	},
	"split.smi-spec.io": {
		"TrafficSplit": {versions: alpha1to4, decode: decodeSplit},
	},
	meshGroup: {
		"Mesh":         {versions: []string{"v1alpha1"}, decode: decodeMesh, cluster: true},
		"VerdictTable": {versions: []string{"v1alpha1"}, decode: decodeTable, cluster: true},
		"Contract":     {versions: []string{"v1alpha1"}, decode: decodeContract, cluster: true},
		"Waivers":      {versions: []string{"v1alpha1"}, decode: decodeWaivers, cluster: true},
		"BreakGlass":   {versions: []string{"v1alpha1"}, decode: decodeBreakGlass},
	},
	"": {
		"Namespace":             {versions: []string{"v1"}, decode: decodeNamespace, core: reflect.TypeFor[corev1.Namespace](), cluster: true},
		"Service":               coreKind[corev1.Service](decodeService, "v1"),
		"ServiceAccount":        coreKind[corev1.ServiceAccount](decodeAccount, "v1"),
		"Pod":                   coreKind[corev1.Pod](decodePod, "v1"),
		"ReplicationController": coreKind[corev1.ReplicationController](decodeController, "v1"),
	},
	"apps": {
		"Deployment":  coreKind[appsv1.Deployment](decodeController, "v1"),
		"StatefulSet": coreKind[appsv1.StatefulSet](decodeController, "v1"),
		"DaemonSet":   coreKind[appsv1.DaemonSet](decodeController, "v1"),
		"ReplicaSet":  coreKind[appsv1.ReplicaSet](decodeController, "v1"),
	},
	"batch": {
		"Job":     coreKind[batchv1.Job](decodeController, "v1"),
		"CronJob": coreKind[batchv1.CronJob](decodeController, "v1"),
	},
	"argoproj.io": {"Rollout": {versions: []string{"v1alpha1"}, decode: decodeRollout}},
	"flagger.app": {"Canary": {versions: []string{"v1beta1"}, decode: decodeCanary}},
}

var closed = map[string]bool{"access.smi-spec.io": true, "specs.smi-spec.io": true, "split.smi-spec.io": true, meshGroup: true}

// kindsOf lists the kinds of a group that has a version, sorted.
func kindsOf(group, version string) []string {
	var out []string
	for name, k := range groups[group] {
		if slices.Contains(k.versions, version) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
