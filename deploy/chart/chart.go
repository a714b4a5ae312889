// Package chart is the Helm chart of the control plane, and what renders it without
// Helm: values in, manifests out, in the order in which they are applied. It is the
// part of Helm's language that this chart speaks, and a test holds it to what Helm
// itself gives, byte for byte. It knows nothing of clusters.
package chart

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

//go:embed Chart.yaml values.yaml values.schema.json crds all:templates
var files embed.FS

// Object is a piece of a manifest as JSON decodes it.
type Object = map[string]any

// Release is what a chart is rendered for.
type Release struct {
	Name      string // meshc
	Namespace string
	// Service is who manages the objects: Helm, or meshc.
	Service string
}

// Manifest is one object of the rendered chart.
type Manifest struct {
	Source string // its file, after meshc/
	Text   string
	Object Object
}

// metadata is Chart.yaml, by the names that templates use.
type metadata struct {
	Name, Version, AppVersion, KubeVersion, Description, Type, Home, APIVersion string
}

// Metadata is the chart's name and versions.
func chartMetadata() (m metadata, err error) {
	text, err := files.ReadFile("Chart.yaml")
	if err != nil {
		return m, err
	}
	return m, yaml.Unmarshal(text, &m) // by names without case, as JSON is read
}

// Version is the chart's own.
func Version() (string, error) {
	m, err := chartMetadata()
	return m.Version, err
}

// Definitions are the custom resource definitions, which Helm applies before all else
// and never changes or deletes afterwards.
func Definitions() ([]Manifest, error) {
	names, err := fs.Glob(files, "crds/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []Manifest
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m := Manifest{Source: name, Text: string(text)}
		if err := yaml.Unmarshal(text, &m.Object); err != nil {
			return nil, fmt.Errorf("chart: %s: %w", name, err)
		}
		out = append(out, m)
	}
	return out, nil
}

// Render gives every object but the definitions, in the order in which Helm applies
// them. An error is a value that the chart refuses, in its own words.
func Render(values Object, r Release) ([]Manifest, error) {
	m, err := chartMetadata()
	if err != nil {
		return nil, err
	}
	set, names, err := parse()
	if err != nil {
		return nil, err
	}
	data := Object{
		"Values": values, "Chart": m,
		"Release": Object{"Name": r.Name, "Namespace": r.Namespace, "Service": r.Service},
	}
	var out []Manifest
	for _, name := range names {
		var text bytes.Buffer
		if err := set.ExecuteTemplate(&text, name, data); err != nil {
			return nil, refusal(err)
		}
		docs, err := split(name, strings.ReplaceAll(text.String(), "<no value>", ""))
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
	}
	slices.SortStableFunc(out, func(a, b Manifest) int {
		x, kind := place(a)
		y, other := place(b)
		if x == len(order) && y == x {
			return strings.Compare(kind, other)
		}
		return x - y
	})
	return out, nil
}

// parse reads all templates; names are those that make manifests.
func parse() (*template.Template, []string, error) {
	entries, err := files.ReadDir("templates")
	if err != nil {
		return nil, nil, err
	}
	set := template.New("meshc").Option("missingkey=zero")
	set.Funcs(functions(set))
	var names []string
	for _, e := range entries {
		name := path.Join("templates", e.Name())
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		if _, err := set.New(name).Parse(string(text)); err != nil {
			return nil, nil, err
		}
		if !strings.HasPrefix(e.Name(), "_") && e.Name() != "NOTES.txt" {
			names = append(names, name)
		}
	}
	return set, names, nil
}

var separator = regexp.MustCompile(`(?:^|\s*\n)---\s*`)

// split takes a file's documents apart as Helm does; empty ones are none.
func split(name, text string) ([]Manifest, error) {
	var out []Manifest
	for _, doc := range separator.Split(strings.TrimSpace(text), -1) {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		m := Manifest{Source: name, Text: strings.TrimSpace(doc)}
		if err := yaml.Unmarshal([]byte(doc), &m.Object); err != nil {
			return nil, fmt.Errorf("chart: %s makes no manifest: %w", name, err)
		}
		if m.Object == nil {
			continue // comments alone
		}
		out = append(out, m)
	}
	return out, nil
}

// order is Helm's, of the kinds that the chart has; others come after them, by name.
var order = []string{
	"NetworkPolicy", "PodDisruptionBudget", "ServiceAccount", "Secret", "ConfigMap", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
	"Service", "DaemonSet", "Deployment",
}

func place(m Manifest) (int, string) {
	kind, _ := m.Object["kind"].(string)
	if i := slices.Index(order, kind); i >= 0 {
		return i, kind
	}
	return len(order), kind
}

// Print writes manifests as `helm template` does.
func Print(manifests []Manifest) string {
	var out strings.Builder
	for _, m := range manifests {
		fmt.Fprintf(&out, "---\n# Source: meshc/%s\n%s\n", m.Source, m.Text)
	}
	return out.String()
}
