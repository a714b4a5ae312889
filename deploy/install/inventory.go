package install

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/chart"
)

// Record is what was installed, as the cluster keeps it.
type Record struct {
	Version string       `json:"version"`
	Mesh    string       `json:"mesh"`
	Values  chart.Object `json:"values"` // those that were said: an upgrade goes on with them
	Objects []Item       `json:"objects"`
}

// Item is an object of an installation.
type Item struct {
	api.Ref
	// Found there already, it is another's: it is not deleted.
	Found bool `json:"found,omitempty"`
	// Kept is policy: it is deleted only when that is asked for.
	Kept bool `json:"kept,omitempty"`
}

const recordKey = "inventory.json"

func inventoryRef(namespace string) api.Ref {
	return api.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: Inventory}
}

// Installed reads the record of what is installed in a namespace, nil where nothing is.
func Installed(ctx context.Context, c *api.Client, namespace string) (*Record, error) {
	o, err := c.Get(ctx, inventoryRef(namespace))
	if api.Gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal([]byte(api.Text(o, "data", recordKey)), &r); err != nil {
		return nil, fmt.Errorf("the inventory in ConfigMap %s/%s cannot be read: %w", namespace, Inventory, err)
	}
	return &r, nil
}

// Find is Installed, and where another tool than meshc installed the control plane, what
// its Deployment says.
func Find(ctx context.Context, c *api.Client, namespace string) (*Record, error) {
	r, err := Installed(ctx, c, namespace)
	if r != nil || err != nil {
		return r, err
	}
	d, err := c.Get(ctx, deploymentRef(namespace))
	if api.Gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r = &Record{Version: api.Text(d, "metadata", "labels", "app.kubernetes.io/version"), Mesh: "mesh", Values: chart.Object{}}
	for _, container := range api.List(d, "spec", "template", "spec", "containers") {
		args, _ := container["args"].([]any)
		for _, a := range args {
			switch name, value, _ := strings.Cut(fmt.Sprint(a), "="); name {
			case "--mesh":
				r.Mesh = value
			case "--sidecar":
				r.Values["sidecar"] = value
			}
		}
	}
	return r, nil
}

// item is what the record has of an object.
func (r *Record) item(ref api.Ref) (Item, bool) {
	if r == nil {
		return Item{}, false
	}
	i := slices.IndexFunc(r.Objects, func(i Item) bool { return same(i.Ref, ref) })
	if i < 0 {
		return Item{}, false
	}
	return r.Objects[i], true
}

// same leaves versions out: an object is one in all versions of its kind.
func same(a, b api.Ref) bool {
	return a.Kind == b.Kind && a.Namespace == b.Namespace && a.Name == b.Name && groupOf(a) == groupOf(b)
}

func groupOf(r api.Ref) string {
	for i, c := range r.APIVersion {
		if c == '/' {
			return r.APIVersion[:i]
		}
	}
	return ""
}

// write keeps the record in the cluster.
func (r *Record) write(ctx context.Context, c *api.Client, namespace string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	_, err = c.Apply(ctx, api.Object{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": api.Object{"name": Inventory, "namespace": namespace, "labels": api.Object{partOf: "meshc", managedBy: manager}},
		"data":     api.Object{recordKey: string(text)},
	}, false)
	return err
}
