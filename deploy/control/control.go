// Package control is a control plane that runs in a cluster, as its API server lets
// one see it: the status of every replica and the bundle that is served, by the proxy
// of the API server to pods. Nothing is run inside a pod, and nothing is changed.
package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/install"
)

// adminPort is the replicas' admin address.
const adminPort = "15129"

// Replica is one replica, and what it says of itself.
type Replica struct {
	Pod    string
	Status Status
	Raw    []byte // the status as it came
	Err    error  // why it says nothing
}

// Status is what is read here of a server's status.
type Status struct {
	Ready  bool `json:"ready"`
	Bundle struct {
		PolicyDigest string `json:"policyDigest"`
	} `json:"bundle"`
	Proxies  []Proxy `json:"proxies"`
	Degraded []struct {
		Reason string `json:"reason"`
	} `json:"degraded"`
	Rejected []struct {
		Workload string `json:"workload"`
		Identity string `json:"identity"`
		Peer     string `json:"peer"`
		Reason   string `json:"reason"`
	} `json:"rejected"`
}

// Proxy is a proxy that is connected.
type Proxy struct {
	Identity    string    `json:"identity"`
	Workload    string    `json:"workload"`
	InSync      bool      `json:"inSync"`
	Denied      string    `json:"denied"`
	Expires     time.Time `json:"expires"`
	Certificate string    `json:"certificate"`
	Types       []struct {
		Type    string `json:"type"`
		Refused []struct {
			Name   string `json:"name"`
			Reason string `json:"reason"`
		} `json:"refused"`
	} `json:"types"`
}

// Replicas asks every replica that runs. A proxy is connected to one of them.
func Replicas(ctx context.Context, c *api.Client, namespace string) ([]Replica, error) {
	pods, err := c.List(ctx, api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: namespace}, "app.kubernetes.io/name="+install.Controller)
	if err != nil {
		return nil, err
	}
	var out []Replica
	for _, p := range pods {
		if api.Text(p, "status", "phase") != "Running" {
			continue
		}
		r := Replica{Pod: api.Text(p, "metadata", "name")}
		r.Raw, r.Err = c.Raw(ctx, http.MethodGet, podPath(namespace, r.Pod, adminPort, "/status"), "", nil)
		if r.Err == nil {
			r.Err = json.Unmarshal(r.Raw, &r.Status)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Replica) int { return strings.Compare(a.Pod, b.Pod) })
	return out, nil
}

// File reads a path of the first replica that answers.
func File(ctx context.Context, c *api.Client, namespace, path string) ([]byte, error) {
	pods, err := c.List(ctx, api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: namespace}, "app.kubernetes.io/name="+install.Controller)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("no replica of the control plane runs in namespace %s", namespace)
	for _, p := range pods {
		if api.Text(p, "status", "phase") != "Running" {
			continue
		}
		var text []byte
		if text, err = c.Raw(ctx, http.MethodGet, podPath(namespace, api.Text(p, "metadata", "name"), adminPort, path), "", nil); err == nil {
			return text, nil
		}
	}
	return nil, err
}

func podPath(namespace, pod, port, path string) string {
	return "/api/v1/namespaces/" + namespace + "/pods/" + pod + ":" + port + "/proxy" + path
}

// Of finds a pod's proxy, and the replica that it is connected to.
func Of(replicas []Replica, namespace, pod string) (Proxy, string, bool) {
	for _, r := range replicas {
		for _, p := range r.Status.Proxies {
			if isOf(p.Workload, namespace, pod) {
				return p, r.Pod, true
			}
		}
	}
	return Proxy{}, "", false
}

// Refusal is why a pod's proxy was refused lately; empty if it was not.
func Refusal(replicas []Replica, namespace, pod string) string {
	for _, r := range replicas {
		for _, x := range slices.Backward(r.Status.Rejected) {
			if isOf(x.Workload, namespace, pod) {
				return x.Reason
			}
		}
	}
	return ""
}

func isOf(workload, namespace, pod string) bool {
	return strings.TrimPrefix(workload, "workload ") == namespace+"/"+pod
}

// metricsPort is where a sidecar shows its counters, and nothing else.
const metricsPort = "15010"

// Counters are a sidecar's counters and gauges, in Prometheus' text form.
func Counters(ctx context.Context, c *api.Client, namespace, pod string) ([]byte, error) {
	return c.Raw(ctx, http.MethodGet, podPath(namespace, pod, metricsPort, "/stats/prometheus"), "", nil)
}

// Logs are the last lines of a container; a node's kubelet is asked for them.
func Logs(ctx context.Context, c *api.Client, namespace, pod, container string, lines int) ([]byte, error) {
	return c.Raw(ctx, http.MethodGet, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/log?container=%s&tailLines=%d", namespace, pod, container, lines), "", nil)
}
