package upkeep

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// target is an object by which API servers call us.
type target struct {
	of    resource
	name  string
	store *store
}

func (w *Webhooks) all() []target {
	out := []target{{of: validating, name: ValidateConfiguration}, {of: mutating, name: InjectConfiguration}}
	for _, name := range w.opts.Definitions {
		out = append(out, target{of: definitions, name: name})
	}
	return out
}

// clients are the clientConfigs of an object. Those with a URL are ours too: the
// configuration is.
func (t target) clients(o *unstructured.Unstructured) []map[string]any {
	var out []map[string]any
	if t.of == definitions {
		if c, ok, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "conversion", "webhook", "clientConfig"); ok {
			if c, ok := c.(map[string]any); ok {
				out = append(out, c)
			}
		}
		return out
	}
	hooks, _, _ := unstructured.NestedFieldNoCopy(o.Object, "webhooks") // what is none has no client
	list, _ := hooks.([]any)
	for _, h := range list {
		if h, ok := h.(map[string]any); ok {
			if c, ok := h["clientConfig"].(map[string]any); ok {
				out = append(out, c)
			}
		}
	}
	return out
}

func bundleOf(client map[string]any) []byte {
	text, _ := client["caBundle"].(string)
	out, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return out
}

// has tells whether an object trusts exactly the bundle.
func (t target) has(o *unstructured.Unstructured, bundle []byte) bool {
	for _, c := range t.clients(o) {
		if !equal(bundleOf(c), bundle) {
			return false
		}
	}
	return true
}

// leads tells whether an object trusts one of the bundle's authorities.
func (t target) leads(o *unstructured.Unstructured, bundle []byte) bool {
	for _, c := range t.clients(o) {
		have, any := bundleOf(c), false
		for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
			any = any || bytes.Contains(have, pem.EncodeToMemory(block))
		}
		if !any {
			return false
		}
	}
	return true
}

// change is the merge that makes an object trust the bundle.
func (t target) change(o *unstructured.Unstructured, bundle []byte) map[string]any {
	text := base64.StdEncoding.EncodeToString(bundle)
	if t.of == definitions {
		return map[string]any{"spec": map[string]any{"conversion": map[string]any{"webhook": map[string]any{"clientConfig": map[string]any{"caBundle": text}}}}}
	}
	copied := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(o.Object)}
	for _, c := range t.clients(copied) {
		c["caBundle"] = text
	}
	return map[string]any{"webhooks": copied.Object["webhooks"]} // a merge replaces a list whole
}
