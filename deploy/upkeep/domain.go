package upkeep

import (
	"context"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/catalog/ca"
)

// domainKey is where in the Secret the trust domain is, as in a state folder.
const domainKey = "trust-domain"

// TrustDomain is that of a control plane's authority: as its Secret says, or the copy in
// the state folder where there is no Secret or the API server gives no answer; empty
// where there is no authority yet. It waits for the API server as long as there is no
// copy and ctx lasts; what else is wrong OpenAuthority tells.
func TrustDomain(ctx context.Context, config *rest.Config, namespace, stateDir string) string {
	copied, err := ca.FolderDomain(stateDir)
	if err != nil {
		copied = ""
	}
	k, err := New(Options{Config: config, Namespace: namespace})
	if err != nil {
		return copied
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		files, _, err := k.readAuthority(ctx)
		if err == nil && files != nil {
			return strings.TrimSpace(string(files[domainKey]))
		}
		if err == nil || copied != "" || !passing(err) {
			return copied
		}
		select {
		case <-ctx.Done():
			return ""
		case <-time.After(wait):
		}
	}
}
