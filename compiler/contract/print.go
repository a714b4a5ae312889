package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Print writes a contract as YAML: a line for each fact and for each reader, so
// that merges are clean. Equal contracts give equal bytes.
func Print(c *Contract) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "# Written by `meshc lock --contract`: what the policy relies on in this namespace.")
	fmt.Fprintln(&b, "apiVersion: meshc.dev/v1alpha1\nkind: Contract\nmetadata:")
	fmt.Fprintf(&b, "  name: %s\nspec:\n", quoted(c.Namespace))
	if c.Mesh != "" {
		fmt.Fprintf(&b, "  mesh: %s\n", quoted(c.Mesh))
	}
	if c.Environment != "" {
		fmt.Fprintf(&b, "  environment: %s\n", quoted(c.Environment))
	}
	fmt.Fprintf(&b, "  trustDomain: %s\n  mode: %s\n", quoted(c.TrustDomain), c.Mode)
	if len(c.Facts) > 0 {
		fmt.Fprintln(&b, "  facts:")
	}
	for _, f := range c.Facts {
		fmt.Fprintf(&b, "  - fact: %s\n", quoted(f.String()))
		if len(f.Readers) > 0 {
			fmt.Fprintln(&b, "    readers:")
		}
		for _, r := range f.Readers {
			fmt.Fprintf(&b, "    - {line: %s, object: %s, effect: %s}\n", quoted(r.Where()), quoted(r.Object), quoted(r.Effect))
		}
	}
	fmt.Fprintln(&b, "  complete: true")
	return b.Bytes()
}

// quoted is text in quotation marks, as YAML and JSON both read it.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // a string is always encoded
	}
	return string(bytes.TrimSpace(b.Bytes()))
}
