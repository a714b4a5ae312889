package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	serialjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// client asks an API server for objects as JSON: objects of one kind in one version, as
// the trees of maps that documents are made of.
type client struct{ rest *rest.RESTClient }

const requestsPerSecond = 100

func newClient(config *rest.Config) (*client, error) {
	c := rest.CopyConfig(config)
	c.APIPath, c.GroupVersion = "/apis", &schema.GroupVersion{Version: "v1"}
	c.NegotiatedSerializer = plainJSON{}
	c.ContentType, c.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	c.UserAgent = "meshc-controller"
	if c.QPS == 0 {
		c.QPS, c.Burst = requestsPerSecond, 2*requestsPerSecond
	}
	r, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("no client of the cluster: %w", err)
	}
	return &client{r}, nil
}

// plainJSON reads every object as a tree of maps.
type plainJSON struct{}

func (plainJSON) SupportedMediaTypes() []runtime.SerializerInfo {
	scheme := runtime.NewScheme()
	meta.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	events := serialjson.NewSerializerWithOptions(serialjson.DefaultMetaFactory, scheme, scheme, serialjson.SerializerOptions{})
	return []runtime.SerializerInfo{{
		MediaType: runtime.ContentTypeJSON, MediaTypeType: "application", MediaTypeSubType: "json", EncodesAsText: true,
		Serializer:       unstructured.UnstructuredJSONScheme,
		StreamSerializer: &runtime.StreamSerializerInfo{EncodesAsText: true, Serializer: events, Framer: serialjson.Framer},
	}}
}

func (plainJSON) EncoderForVersion(runtime.Encoder, runtime.GroupVersioner) runtime.Encoder {
	return unstructured.UnstructuredJSONScheme
}

func (plainJSON) DecoderToVersion(runtime.Decoder, runtime.GroupVersioner) runtime.Decoder {
	return unstructured.UnstructuredJSONScheme
}

// params are list options as a query.
func params(r *rest.Request, o meta.ListOptions) *rest.Request {
	for name, v := range map[string]string{"resourceVersion": o.ResourceVersion, "resourceVersionMatch": string(o.ResourceVersionMatch),
		"continue": o.Continue, "labelSelector": o.LabelSelector, "fieldSelector": o.FieldSelector} {
		if v != "" {
			r = r.Param(name, v)
		}
	}
	if o.Limit > 0 {
		r = r.Param("limit", fmt.Sprint(o.Limit))
	}
	if o.AllowWatchBookmarks {
		r = r.Param("allowWatchBookmarks", "true")
	}
	if o.TimeoutSeconds != nil {
		r = r.Param("timeoutSeconds", fmt.Sprint(*o.TimeoutSeconds))
	}
	if o.SendInitialEvents != nil && *o.SendInitialEvents {
		r = r.Param("sendInitialEvents", "true")
	}
	return r
}

// listWatch lists and watches what lies at a path. noted is told how each went. A path
// that is not there lists nothing: its definition may come later.
func (c *client) listWatch(path []string, narrow string, noted func(error)) cache.ListerWatcher {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o meta.ListOptions) (runtime.Object, error) {
			o.LabelSelector = narrow
			out := &unstructured.UnstructuredList{}
			err := params(c.rest.Get().AbsPath(path...), o).Do(ctx).Into(out)
			if noted(err); apierrors.IsNotFound(err) {
				return &unstructured.UnstructuredList{Object: map[string]any{"kind": "List", "apiVersion": "v1"}}, nil
			}
			return out, err
		},
		WatchFuncWithContext: func(ctx context.Context, o meta.ListOptions) (watch.Interface, error) {
			o.LabelSelector = narrow
			w, err := params(c.rest.Get().AbsPath(path...).Param("watch", "true"), o).Watch(ctx)
			if !apierrors.IsResourceExpired(err) { // an old version is listed anew, as happens
				noted(err)
			}
			return w, err
		},
	}
}

// do asks for one object, and sends one where body is not nil.
func (c *client) do(ctx context.Context, verb string, path []string, kind string, body any) (*unstructured.Unstructured, error) {
	r := c.rest.Verb(verb).AbsPath(path...)
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = r.SetHeader("Content-Type", kind).Body(data)
	}
	data, err := r.Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(data); err != nil {
		return nil, errors.Join(errors.New("the API server's answer is no object"), err)
	}
	return out, nil
}

// Kinds of bodies.
const (
	asJSON     = "application/json"
	mergePatch = "application/merge-patch+json"
)

var verbs = struct{ get, post, put, patch, del string }{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
