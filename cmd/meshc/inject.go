package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/admission/inject"
	"github.com/meshc/meshc/compiler/diag"
)

// injectFlags are what a mesh has decided for its pods.
type injectFlags struct {
	files    []string
	settings inject.Settings
	form, by string
	ca       string
	ns       string
	labelled bool
}

func newInjectCmd(s streams) *cobra.Command {
	f := &injectFlags{}
	cmd := &cobra.Command{
		Use:   "inject -f FILE --control-plane HOST:PORT --envoy-image IMAGE --meshc-image IMAGE",
		Short: "Put interception and a proxy into the pods of manifests",
		Long: `Write manifests with a sidecar in every pod of the mesh: an init container that hands
the pod's connections to Envoy, and a stock Envoy with its bootstrap inline. All else is
written as it was. Injecting twice is injecting once; settings that changed in between
take effect. It is what the webhook does to the pods of a cluster.

Namespaces and pods opt in and out by the label meshc.dev/inject: enabled|disabled; the
labels and annotations of Open Service Mesh are understood. Of a namespace without a
manifest in the input the pods are taken to be the mesh's, unless --labelled is given.

The proxies trust the control plane by a ConfigMap of their namespace, meshc-trust; with
--ca it is written, too, for each namespace with an injected pod.`,
		Example: "  meshc inject -f manifests --control-plane meshc-controller.meshc-system.svc:15128 \\\n    --envoy-image envoyproxy/envoy:distroless-v1.40.0 --meshc-image meshc:dev",
		Args:    cobra.NoArgs,
	}
	report := addReportFlags(cmd)
	flags := cmd.Flags()
	flags.StringSliceVarP(&f.files, "filename", "f", nil, "`FILE` or folder of manifests, - for standard input; repeatable (required)")
	flags.StringVar(&f.settings.ControlPlane, "control-plane", "", "`HOST:PORT` of meshc serve (required)")
	flags.StringVar(&f.settings.ServerName, "server-name", "", "`NAME` in the control plane's certificate (default HOST)")
	flags.StringVar(&f.settings.EnvoyImage, "envoy-image", "", "`IMAGE` of a stock Envoy, best by digest (required)")
	flags.StringVar(&f.settings.InitImage, "meshc-image", "", "`IMAGE` with meshc, for interception (required)")
	flags.StringVar(&f.settings.PullPolicy, "pull-policy", "", "imagePullPolicy of both: Always, IfNotPresent or Never")
	flags.StringVar(&f.settings.Mesh, "mesh", "", "`NAME` of the mesh: pods of namespaces of another one are left alone")
	flags.StringVar(&f.settings.TrustDomain, "trust-domain", "cluster.local", "trust `DOMAIN` of identities")
	flags.StringVar(&f.form, "form", "native", "native (kubelets from 1.29) or classic sidecars")
	flags.StringVar(&f.by, "interception", "init", "init (a container with NET_ADMIN) or cni (the node runs meshc cni, and pods need no privilege)")
	flags.DurationVar(&f.settings.Drain, "drain", 10*time.Second, "how long connections live on that must end")
	flags.BoolVar(&f.settings.Metrics, "metrics", false, "ask Prometheus to scrape the proxies")
	flags.StringVar(&f.ca, "ca", "", "`FILE` with the control plane's roots: write the ConfigMaps that proxies trust by")
	flags.StringVarP(&f.ns, "namespace", "n", "default", "`NAMESPACE` of objects that name none")
	flags.BoolVar(&f.labelled, "labelled", false, "only pods of namespaces whose manifest in the input says that they are the mesh's")
	for _, name := range []string{"filename", "control-plane", "envoy-image", "meshc-image"} {
		_ = cmd.MarkFlagRequired(name) // it fails only for a flag that is not there
	}
	cmd.RunE = func(*cobra.Command, []string) error { return f.run(s, report) }
	return cmd
}

func (f *injectFlags) run(s streams, report *reportFlags) error {
	f.settings.Form = inject.Form(f.form)
	if f.settings.Form != inject.Native && f.settings.Form != inject.Classic {
		return usage(fmt.Errorf("--form %q is neither native nor classic", f.form))
	}
	f.settings.Interception = inject.Interception(f.by)
	if f.settings.Interception != inject.ByInit && f.settings.Interception != inject.ByCNI {
		return usage(fmt.Errorf("--interception %q is neither init nor cni", f.by))
	}
	if !slices.Contains(pullPolicies, f.settings.PullPolicy) {
		return usage(fmt.Errorf("--pull-policy %q is none of Always, IfNotPresent, Never", f.settings.PullPolicy))
	}
	names, texts, err := manifestTexts(s, f.files)
	if err != nil {
		return input(err)
	}
	files := inject.Files{Settings: f.settings, Namespace: f.ns, Members: !f.labelled}
	for _, name := range names {
		files.Learn(name, texts[name])
	}
	var found diag.List
	var out []string
	var done []inject.Done
	for _, name := range names {
		text, did, more := files.Inject(name, texts[name])
		found.Add(more...)
		done = append(done, did...)
		out = append(out, string(text))
	}
	trust, err := f.trust(done)
	if err != nil {
		return err
	}
	sources := func(name string) ([]byte, bool) { text, ok := texts[name]; return text, ok }
	if err := report.emit(s, found, sources); err != nil {
		return err // half a mesh is not written
	}
	if _, err := io.WriteString(s.Out, strings.Join(append(out, trust...), "---\n")); err != nil {
		return input(err)
	}
	for _, d := range done {
		if !d.Injected {
			fmt.Fprintf(s.Err, "not injected: %s: %s\n", d.Object, d.Why)
		}
	}
	return nil
}

// trust is a ConfigMap for each namespace with an injected pod.
func (f *injectFlags) trust(done []inject.Done) ([]string, error) {
	if f.ca == "" {
		return nil, nil
	}
	roots, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, input(err)
	}
	var namespaces []string
	for _, d := range done {
		if d.Injected {
			namespaces = append(namespaces, d.Object.Namespace)
		}
	}
	slices.Sort(namespaces)
	var out []string
	for _, ns := range slices.Compact(namespaces) {
		text, err := inject.TrustManifest(ns, inject.TrustBundle, roots)
		if err != nil {
			return nil, engine(err)
		}
		out = append(out, string(text))
	}
	return out, nil
}

// manifestTexts reads files, folders with all below them, and standard input.
func manifestTexts(s streams, paths []string) (names []string, texts map[string][]byte, err error) {
	texts = map[string][]byte{}
	add := func(name string, text []byte) {
		if _, twice := texts[name]; !twice {
			names = append(names, name)
		}
		texts[name] = text
	}
	for _, path := range paths {
		if path == "-" {
			text, err := io.ReadAll(s.In)
			if err != nil {
				return nil, nil, err
			}
			add("-", text)
			continue
		}
		found := 0
		err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || name != path && !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			found++
			add(name, text)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		if found == 0 {
			return nil, nil, errors.New(path + " holds no manifest (.yaml, .yml, .json)")
		}
	}
	return names, texts, nil
}
