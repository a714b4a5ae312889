package kube

import (
	"errors"
	"fmt"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// LabelCluster on a secret: its data hold a kubeconfig under "kubeconfig", and the
// label's value names the cluster.
const LabelCluster = "meshc.dev/cluster"

const kubeconfigKey = "kubeconfig"

// secretsIn are the secrets of further clusters.
func secretsIn(namespace string) kind {
	return kind{group: core.SchemeGroupVersion, resource: "secrets", namespace: namespace, object: &core.Secret{}, narrow: func(o *meta.ListOptions) {
		o.LabelSelector = LabelCluster
	}}
}

// remote is a further cluster: what its secret says, and what it told.
type remote struct {
	cluster *cluster // nil where the kubeconfig cannot be used
	config  string
	wrong   error
	// last is the cluster as it was before its secret changed, until it has told all
	// again: a kubeconfig that is renewed drops nothing.
	last *cluster
}

// known is what has told all, nil if nothing has. It is asked under the provider's lock.
func (r *remote) known() *cluster {
	if r.cluster != nil && r.cluster.synced() {
		r.last = nil
		return r.cluster
	}
	return r.last
}

func (r *remote) fault() error {
	if r.wrong != nil {
		return r.wrong
	}
	return r.cluster.fault()
}

func (r *remote) close() {
	if r.cluster != nil {
		r.cluster.close()
	}
}

// followSecrets begins and ends further clusters as their secrets come and go.
func (p *Provider) followSecrets() error {
	_, err := p.own.stores["secrets"].AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { p.take(o.(*core.Secret)) },
		UpdateFunc: func(_, o any) { p.take(o.(*core.Secret)) },
		DeleteFunc: func(o any) {
			if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			p.drop(o.(*core.Secret).Name)
		},
	})
	return err
}

// take follows the cluster of a secret, or goes on with another kubeconfig.
func (p *Provider) take(s *core.Secret) {
	text := s.Labels[LabelCluster] + "\x00" + string(s.Data[kubeconfigKey])
	p.mu.Lock()
	before := p.remotes[s.Name]
	p.mu.Unlock()
	if before != nil && before.config == text {
		return
	}
	now := &remote{config: text}
	if before != nil {
		before.close()
	}
	config, err := remoteConfig(s)
	if err == nil {
		now.cluster, err = watchCluster(p.ctx, s.Labels[LabelCluster], config, nil, p.notice, p.opts.Touched)
	}
	if err != nil {
		now.wrong = fmt.Errorf("the secret %s of cluster %q: %w", s.Name, s.Labels[LabelCluster], err)
	}
	p.mu.Lock()
	if before != nil {
		now.last = before.known()
	}
	p.remotes[s.Name], p.rejoin = now, true
	p.mu.Unlock()
	p.notice()
	p.touchAll()
}

// drop forgets a cluster whose secret was deleted: that is meant.
func (p *Provider) drop(name string) {
	p.mu.Lock()
	r := p.remotes[name]
	delete(p.remotes, name)
	p.rejoin = true
	p.mu.Unlock()
	if r != nil {
		r.close()
	}
	p.notice()
	p.touchAll()
}

func (p *Provider) touchAll() {
	if p.opts.Touched != nil {
		p.opts.Touched("")
	}
}

// remoteConfig reads a kubeconfig from a secret. It may neither run programs nor
// read files: who writes the secret is not who runs the control plane.
func remoteConfig(s *core.Secret) (*rest.Config, error) {
	if s.Labels[LabelCluster] == "" {
		return nil, fmt.Errorf("its label %s names no cluster", LabelCluster)
	}
	data := s.Data[kubeconfigKey]
	if len(data) == 0 {
		return nil, fmt.Errorf("it has no data %q", kubeconfigKey)
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, errors.New("it holds no kubeconfig") // what it holds must not show
	}
	for name, u := range config.AuthInfos {
		if u.Exec != nil || u.AuthProvider != nil || u.TokenFile != "" || u.ClientCertificate != "" || u.ClientKey != "" {
			return nil, fmt.Errorf("its user %q runs a program or names a file: write certificates, keys and tokens as data", name)
		}
	}
	for name, c := range config.Clusters {
		if c.CertificateAuthority != "" || c.InsecureSkipTLSVerify {
			return nil, fmt.Errorf("its cluster %q names a file or is not verified: write certificate-authority-data", name)
		}
	}
	return clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{}).ClientConfig()
}
