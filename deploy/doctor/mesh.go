package doctor

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/chart"
	"github.com/meshc/meshc/deploy/install"
)

// certificates looks when those end that the control plane keeps in Secrets. It reads
// certificates alone; keys that lie beside them are not looked at.
func (d *doctor) certificates(ctx context.Context) (string, diag.List, error) {
	var found diag.List
	var first time.Time
	seen := 0
	for _, name := range []string{install.Authority, install.Serving} {
		ref := api.Ref{APIVersion: "v1", Kind: "Secret", Namespace: d.Namespace, Name: name}
		o, err := d.Client.Get(ctx, ref)
		if api.Gone(err) {
			found.Add(install.About("MSH4107", ref, "there is no Secret %s", name).WithHelp("the controller makes it when it leads; is it available?"))
			continue
		}
		if err != nil {
			return "", found, err
		}
		data, _ := o["data"].(api.Object)
		for _, key := range slices.Sorted(maps.Keys(data)) {
			for _, c := range certificatesIn(fmt.Sprint(data[key])) {
				seen++
				if first.IsZero() || c.NotAfter.Before(first) {
					first = c.NotAfter
				}
				if f, bad := d.judge(ref, key, c); bad {
					found.Add(f)
				}
			}
		}
	}
	if seen == 0 {
		return "none", found, nil
	}
	return fmt.Sprintf("%d, the first ends on %s", seen, first.UTC().Format(time.DateOnly)), found, nil
}

func certificatesIn(encoded string) (out []*x509.Certificate) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return out
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			out = append(out, c)
		}
	}
}

// judge finds a certificate that ended, or that nobody renewed in the last tenth of its life.
func (d *doctor) judge(ref api.Ref, key string, c *x509.Certificate) (diag.Finding, bool) {
	name := c.Subject.CommonName
	if name == "" && len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	}
	left, life := c.NotAfter.Sub(d.Now), c.NotAfter.Sub(c.NotBefore)
	switch {
	case left <= 0:
		return install.About("MSH4107", ref, "the certificate %q in %s ended on %s", name, key, c.NotAfter.UTC().Format(time.DateTime)), true
	case d.Now.Before(c.NotBefore):
		return install.About("MSH4107", ref, "the certificate %q in %s is valid only from %s on", name, key, c.NotBefore.UTC().Format(time.DateTime)).
			WithHelp("is a clock wrong?"), true
	case left < life/10:
		return install.About("MSH4107", ref, "the certificate %q in %s ends in %s, and should have been renewed", name, key, left.Truncate(time.Minute)), true
	}
	return diag.Finding{}, false
}

// definitions looks whether the kinds are those that this meshc knows.
func (d *doctor) definitions(ctx context.Context) (string, diag.List, error) {
	all, err := chart.Definitions()
	var found diag.List
	for _, m := range all {
		ref := api.RefOf(m.Object)
		got, err := d.Client.Get(ctx, ref)
		if err != nil && !api.Gone(err) {
			return "", found, err
		}
		served := map[string]bool{}
		for _, v := range api.List(got, "spec", "versions") {
			served[api.Text(v, "name")] = api.At(v, "served") == true
		}
		var lacking []string
		for _, v := range api.List(m.Object, "spec", "versions") {
			if !served[api.Text(v, "name")] {
				lacking = append(lacking, api.Text(v, "name"))
			}
		}
		if len(lacking) > 0 {
			found.Add(install.About("MSH4110", ref, "%s is not served in %s", ref.Name, strings.Join(lacking, ", ")).WithHelp("meshc upgrade writes the definitions of this meshc"))
		}
	}
	return fmt.Sprintf("%d kinds", len(all)), found, err
}

// webhooks asks the API server for objects that are made as a dry run: whatever the
// answer, it shows whether ours were asked.
func (d *doctor) webhooks(ctx context.Context) (string, diag.List, error) {
	members, err := install.Members(ctx, d.Client, d.Mesh)
	if err != nil {
		return "", nil, err
	}
	where := "default"
	injected := ""
	for _, m := range members {
		if m.In(d.Mesh) {
			where, injected = m.Name, m.Name
			break
		}
	}
	_, err = d.Client.JSON(ctx, http.MethodPost, "/apis/access.smi-spec.io/v1alpha3/namespaces/"+where+"/traffictargets?dryRun=All", api.Object{
		"apiVersion": "access.smi-spec.io/v1alpha3", "kind": "TrafficTarget", "metadata": api.Object{"name": "meshc-doctor"},
		"spec": api.Object{"destination": api.Object{"kind": "ServiceAccount", "name": "meshc-doctor", "namespace": where}},
	})
	var found diag.List
	if uncalled(err) {
		found.Add(install.About("MSH4108", api.Ref{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration", Name: install.Validating}, "no policy can be written: %v", err))
	}
	if injected == "" {
		return "judgement was asked; no namespace is of the mesh to ask about injection", found, nil
	}
	ref := api.Ref{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration", Name: install.Mutating}
	pod, err := d.Client.JSON(ctx, http.MethodPost, "/api/v1/namespaces/"+injected+"/pods?dryRun=All", api.Object{
		"apiVersion": "v1", "kind": "Pod", "metadata": api.Object{"name": "meshc-doctor"},
		"spec": api.Object{"containers": []any{api.Object{"name": "app", "image": "none", "resources": api.Object{}}}},
	})
	switch {
	case uncalled(err):
		found.Add(install.About("MSH4108", ref, "no pod of the mesh can be made: %v", err))
	case err != nil:
		found.Add(install.About("MSH4108", ref, "a plain pod is refused in namespace %s: %v", injected, err))
	case api.Text(pod, "metadata", "labels", "meshc.dev/injected") != "true":
		found.Add(install.About("MSH4108", ref, "a pod in namespace %s comes without a proxy", injected))
	}
	return "judgement and injection were asked", found, nil
}

// uncalled tells whether an error is of a webhook that could not be called; one that
// refused was.
func uncalled(err error) bool {
	return err != nil && strings.Contains(err.Error(), "failed calling webhook")
}

// namespaces looks at those of the mesh: whose they are, what their pods may, and
// which pods are not as they would be made now.
func (d *doctor) namespaces(ctx context.Context) (string, diag.List, error) {
	members, err := install.Members(ctx, d.Client, d.Mesh)
	var found diag.List
	count := 0
	for _, m := range members {
		ref := api.Ref{APIVersion: "v1", Kind: "Namespace", Name: m.Name}
		if m.In(d.Mesh) {
			count++
			found.Add(m.Secured()...)
			others, err := install.Occupied(ctx, d.Client, m.Name)
			if err != nil {
				return "", found, err
			}
			found.Add(others...)
		}
		if m.Mesh != "" && m.Mesh != d.Mesh && !m.Osm && d.record != nil {
			found.Add(install.About("MSH4117", ref, "namespace %s names mesh %q, and this one is %q", m.Name, m.Mesh, d.Mesh))
		}
		if d.record == nil || len(m.Restart) == 0 {
			continue
		}
		var names []string
		for _, r := range m.Restart {
			names = append(names, strings.ToLower(r.Kind)+"/"+r.Name)
		}
		found.Add(install.About("MSH4115", ref, "in namespace %s the pods of %s are to be made anew", m.Name, strings.Join(names, ", ")).
			WithHelp("kubectl -n %s rollout restart %s", m.Name, strings.Join(names, " ")))
	}
	return fmt.Sprintf("%d of the mesh", count), found, err
}
