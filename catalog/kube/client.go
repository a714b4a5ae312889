package kube

import (
	"fmt"

	authn "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// codecs know the few groups that are read here. The clientset of client-go would
// register every type of Kubernetes at the start of every meshc.
func codecs() (serializer.CodecFactory, runtime.ParameterCodec, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{core.AddToScheme, discovery.AddToScheme, networking.AddToScheme, authn.AddToScheme} {
		if err := add(scheme); err != nil {
			return serializer.CodecFactory{}, nil, err
		}
	}
	meta.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	return serializer.NewCodecFactory(scheme), runtime.NewParameterCodec(scheme), nil
}

// Config is how a cluster is reached: by a kubeconfig file and one of its contexts,
// or where both are empty by KUBECONFIG, ~/.kube/config or the pod's own account.
func Config(kubeconfig, context string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to read: %w", err)
	}
	return config, nil
}

// requestsPerSecond is what the API server is asked at most, by each kind of client.
const requestsPerSecond = 200

// client is a client of one group of an API server.
func client(config *rest.Config, group schema.GroupVersion) (*rest.RESTClient, error) {
	factory, _, err := codecs()
	if err != nil {
		return nil, err
	}
	c := rest.CopyConfig(config)
	c.APIPath, c.GroupVersion = "/apis", &group
	if group.Group == "" {
		c.APIPath = "/api"
	}
	c.NegotiatedSerializer = factory.WithoutConversion()
	c.ContentType, c.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	c.UserAgent = "meshc"
	// client-go's own 5 a second would make proxies wait that come back all at once.
	c.QPS, c.Burst = requestsPerSecond, 2*requestsPerSecond
	return rest.RESTClientFor(c)
}
