package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/deploy/admin"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/install"
)

// mostServers bounds how many Envoys of servers are asked; pods of one service are alike.
const mostServers = 8

// askEnvoy is how long an Envoy has to tell its secrets. One that is frozen never does.
const askEnvoy = 5 * time.Second

// certificate is whether the caller's Envoy and those of the servers hold a certificate
// of the account of their pod, one that has not ended, and one that the other end trusts.
// An Envoy that does not answer is told as a warning: the last step counts what comes of it.
func (w *walking) certificate(ctx context.Context) (string, diag.List, error) {
	own, err := w.credential(ctx, w.From)
	if err != nil {
		return "", diag.List{unasked(w.From, err)}, ctx.Err()
	}
	found := w.holds(w.From, own, w.caller)
	asked, meshed := 0, slices.CompactFunc(slices.SortedFunc(slices.Values(w.servers), func(a, b api.Ref) int {
		return (ir.ServiceID{Namespace: a.Namespace, Name: a.Name}).Compare(ir.ServiceID{Namespace: b.Namespace, Name: b.Name})
	}), func(a, b api.Ref) bool { return a == b })
	for _, server := range meshed[:min(len(meshed), mostServers)] {
		pod, err := w.Client.Get(ctx, server)
		if api.Gone(err) || err == nil && api.Text(pod, "metadata", "labels", "meshc.dev/injected") != "true" {
			continue // it left, or it answers without a proxy
		}
		var theirs admin.Credential
		if err == nil {
			theirs, err = w.credential(ctx, server)
		}
		if err != nil {
			if ctx.Err() != nil {
				return "", found, ctx.Err()
			}
			found.Add(unasked(server, err))
			continue
		}
		asked++
		found.Add(w.holds(server, theirs, w.accountOf(pod, server.Namespace))...)
		found.Add(w.trusts(w.From, own, server, theirs)...)
		found.Add(w.trusts(server, theirs, w.From, own)...)
	}
	return fmt.Sprintf("the caller's and those of %d of %d servers", asked, len(meshed)), found, nil
}

// accountOf is the identity of a pod's account.
func (w *walking) accountOf(pod api.Object, namespace string) ir.Identity {
	account := api.Text(pod, "spec", "serviceAccountName")
	if account == "" {
		account = "default"
	}
	return ir.NewIdentity(w.Mesh.Settings.TrustDomain, namespace, account)
}

// credential asks the Envoy of a pod.
func (w *walking) credential(ctx context.Context, pod api.Ref) (admin.Credential, error) {
	inside := w.Inside
	if inside == nil {
		inside = func(namespace, pod string, port int) *http.Client { return w.Client.Inside(namespace, pod, port) }
	}
	web := inside(pod.Namespace, pod.Name, admin.Port)
	defer web.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, askEnvoy)
	defer cancel()
	dump, err := admin.Dump(ctx, web)
	if err != nil {
		return admin.Credential{}, err
	}
	return admin.CredentialOf(dump), nil
}

// unasked says that an Envoy did not tell its secrets.
func unasked(pod api.Ref, err error) diag.Finding {
	return install.About("MSH4119", pod, "the Envoy of pod %s does not tell its certificate: %v", pod.Name, err).
		WithHelp("it takes the right to create pods/portforward; meshc proxy logs %s/%s", pod.Namespace, pod.Name)
}

// holds is what is wrong with the certificate of a pod's Envoy by itself.
func (w *walking) holds(pod api.Ref, c admin.Credential, want ir.Identity) diag.List {
	help := []any{pod.Namespace, pod.Name}
	if len(c.Chain) == 0 {
		return diag.List{install.About("MSH4137", pod, "the Envoy of pod %s holds no certificate", pod.Name).
			WithEffect("it can prove to nobody who it is").WithHelp("meshc proxy status %s/%s", help...)}
	}
	leaf := c.Chain[0]
	var found diag.List
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != string(want) {
		found.Add(install.About("MSH4137", pod, "the certificate of pod %s is of %v, and its account is %s", pod.Name, leaf.URIs, want))
	}
	if !w.Now.Before(leaf.NotAfter) {
		found.Add(install.About("MSH4137", pod, "the certificate of pod %s ended on %s", pod.Name, leaf.NotAfter.UTC().Format(time.DateTime)).
			WithEffect("nobody of the mesh takes it").WithHelp("meshc proxy status %s/%s", help...))
	}
	if len(c.Roots) == 0 {
		found.Add(install.About("MSH4137", pod, "the Envoy of pod %s holds no roots: it trusts nobody", pod.Name).WithHelp("meshc proxy status %s/%s", help...))
	}
	return found
}

// trusts is why one end does not trust the other's certificate. One that has ended, or is
// not there, is told already.
func (w *walking) trusts(pod api.Ref, c admin.Credential, other api.Ref, theirs admin.Credential) diag.List {
	if len(c.Roots) == 0 || len(theirs.Chain) == 0 || !w.Now.Before(theirs.Chain[0].NotAfter) {
		return nil
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, r := range c.Roots {
		roots.AddCert(r)
	}
	for _, i := range theirs.Chain[1:] {
		between.AddCert(i)
	}
	_, err := theirs.Chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: w.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err == nil {
		return nil
	}
	return diag.List{install.About("MSH4137", pod, "the Envoy of pod %s does not trust the certificate of pod %s: %v", pod.Name, other.Name, err).
		WithEffect("their handshake fails").WithHelp("meshc doctor tells of the authority and of clocks")}
}
