package syntax

import (
	"strings"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshc/meshc/compiler/diag"
)

var metaShape = sharedShape[metav1.ObjectMeta]()

// metadata reads name, namespace, labels and annotations.
func (d *decoder) metadata(top *record, k kind) {
	o := d.obj
	at := top.need("metadata")
	if k.core == nil {
		at.check(metaShape())
	}
	if at == nil || at.n.Kind != yaml.MappingNode {
		return
	}
	meta := &record{c: at, open: true}
	o.Labels = meta.quiet("labels").quietMap()
	o.Annotations = meta.quiet("annotations").quietMap()
	for _, owner := range meta.quiet("ownerReferences").quietItems() {
		o.Owners = append(o.Owners, TypedRef{
			APIGroup: group(owner.quietGet("apiVersion").quietText()),
			Kind:     owner.quietGet("kind").quietText(), Name: owner.quietGet("name").quietText(),
		})
	}
	o.Name = meta.quiet("name").quietText()
	d.name(meta, k)
	d.namespace(meta, k)
}

func (d *decoder) name(meta *record, k kind) {
	o := d.obj
	if prefix := meta.quiet("generateName").quietText(); o.Name == "" && prefix != "" && k.core != nil {
		o.Name = strings.TrimRight(prefix, "-.")
		return
	}
	c := meta.need("name")
	if c == nil || o.Name == "" {
		return
	}
	if o.Kind == "Namespace" || o.Kind == "Service" {
		c.dnsLabel()
	} else {
		c.dnsSubdomain()
	}
}

func (d *decoder) namespace(meta *record, k kind) {
	o := d.obj
	if k.cluster {
		return
	}
	c := meta.get("namespace")
	switch o.Namespace = c.quietText(); {
	case o.Namespace != "":
		o.NamespaceBy = NamespaceWritten
		c.dnsLabel()
	case d.job.namespace != "":
		o.Namespace, o.NamespaceBy = d.job.namespace, NamespaceSourceDir
	default:
		o.Namespace, o.NamespaceBy = "default", NamespaceDefaulted
		path := append(meta.c.path(), "name")
		d.fault(diag.New("MSH0110", o.At(path...), "%s has no namespace and was put into \"default\"", o.Kind+" "+o.Name).
			WithHelp("write `metadata.namespace`, or give the source a namespace in meshc.yaml"), path)
	}
}
