package diag

// bundleCodes are MSH04xx: bundles that cannot be taken.
var bundleCodes = []Entry{
	same(Error, "MSH0401", "this is not a bundle",
		`A bundle is a folder with a manifest.json that names every other file with its size and digest. Here that file is missing or is no JSON, so nothing can be said of the rest.

Name the folder that "meshc build -o DIR" wrote. If this is that folder, it was damaged on the way: copy it again.`,
		"meshc verify ./manifests   # SMI manifests are no bundle", "meshc build ./manifests -o ./bundle\nmeshc verify ./bundle"),
	same(Error, "MSH0402", "the bundle has a format that this meshc does not read",
		`A bundle's format has a major and a minor number. A reader takes every minor of its own major, because what is new in them can be ignored. It refuses another major, because it would misread it.

Use the meshc that built the bundle, or one of the same major format, or build the bundle again.`,
		"# manifest.json\nformat: {major: 2, minor: 0}", "# manifest.json\nformat: {major: 1, minor: 0}"),
	same(Error, "MSH0403", "the bundle requires what this meshc does not have",
		`A bundle lists the features without which its policy cannot be enforced as it was compiled, such as the least version of Envoy. A reader that does not know one of them refuses the bundle: it might serve a part of the policy only, and leave open what the rest would close.

Use a newer meshc to serve it, or build it with the meshc that serves.`,
		"# manifest.json\nrequires: [a-feature-of-tomorrow]", "# manifest.json\nrequires: [envoy-1.40]"),
	same(Error, "MSH0404", "the bundle is incomplete",
		`A file that the manifest lists is missing, or its size is not what the manifest says: usually a copy that was cut short. meshc itself never leaves such a folder: it writes a bundle beside the target and then renames it.

Copy the whole folder again, or build the bundle again.`,
		"cp bundle/manifest.json bundle/index /srv/mesh/", "cp -r bundle /srv/mesh"),
	same(Error, "MSH0405", "the bundle is damaged",
		`The bytes of a file are not those that were written: their digest differs from the one in the manifest, or the manifest's own digest does not fit. Nothing of it is served, because nobody can say what was changed.

Copy the bundle again, or build it again. Do not edit the files of a bundle: change the manifests it was built from.`,
		"sed -i s/strict/permissive/ bundle/ir.json", "# in meshc.yaml\nspec: {mode: permissive}"),
	same(Error, "MSH0406", "the bundle is malformed",
		`The bytes have the digests that the manifest names, but they cannot be read: a number points past the end, a reference leads nowhere, a list is not sorted. No meshc of this format writes such a bundle, so it was made by a defect or by somebody with bad intent.

Do not serve it. Build the bundle again from its sources.`,
		"# an index that refers to resource 12 of 10", "meshc build ./manifests -o ./bundle"),
	same(Error, "MSH0407", "the bundle is too large",
		`A reader takes a file of a bundle into memory only up to a limit, so that a hostile bundle cannot exhaust it. A mesh of ten thousand services stays far below.

Look at what is in the folder: it is hardly a bundle. If your mesh is really that large, split it.`,
		"# resources.pack of 5 GiB", "# resources.pack of 60 MiB"),
	same(Error, "MSH0408", "the bundle is not signed",
		`The server was started with --trust, or "meshc verify" with --key, and the folder "signatures" of the bundle is empty or missing. Anybody could have made such a bundle, so nothing of it is taken, and what was served stays served.

Sign the bundle where it is built: "meshc build --sign KEY". A copy must take the folder "signatures" along.`,
		"meshc build ./manifests -o ./bundle", "meshc build ./manifests -o ./bundle --sign mesh.key"),
	same(Error, "MSH0409", "the bundle is signed by nobody who is trusted",
		`The bundle has signatures, and none is by a key that was named with --trust or --key. The finding names the keys on both sides by the first digits of their ID, which is the SHA-256 of the public key (PKIX, DER).

Sign with a key that is trusted. If the key that signed should be trusted, add its public half to the file or folder of --trust; the server looks again by itself.`,
		"meshc verify ./bundle --key old.pub", "meshc verify ./bundle --key mesh.pub"),
	same(Error, "MSH0410", "a signature of the bundle does not fit",
		`A signature is by a trusted key, by its name at least, but not for this bundle: it was altered, or made for another bundle and copied here, or it signs something else than a bundle. A file in "signatures" that is no DSSE envelope is told the same way.

If the bundle was copied in parts, copy it whole. Otherwise somebody tampered with it: build and sign it again, and find out who could write to where it lay.`,
		"cp old/signatures/* new/signatures/", "meshc build ./manifests -o ./new --sign mesh.key"),
	same(Error, "MSH0411", "a public key cannot be used",
		`Trusted keys are PEM files with "PUBLIC KEY" blocks (PKIX): ed25519, or ECDSA on the curve P-256. This file holds something else, or a block of it is damaged. While one of the files is wrong, no bundle is taken at all: a set of keys that was broken must not pass for a smaller one.

Write the public half of the signing key there; hidden files and folders in the folder are passed over.`,
		"cp mesh.key keys/   # a private key", "openssl pkey -in mesh.key -pubout -out keys/mesh.pub"),
	same(Error, "MSH0412", "the bundle is older than what is served",
		`A bundle has an epoch that only grows: the time of the commit it was built from, or what "meshc build --epoch" says. This one's is smaller than that of the bundle that is served, so it is an old one that came back: by a mistake of a pipeline, or by somebody who wants an old hole open again. An epoch of 0 is of no order and counts as the oldest. The server remembers over restarts.

If you do mean to go back, start the server with "--rollback DIGEST", the policy digest of the older bundle. Otherwise build it again from the newest commit, or with a larger --epoch.`,
		"meshc build ./manifests -o ./bundle --epoch 41   # after 42 was served", "meshc build ./manifests -o ./bundle --epoch 43"),
	same(Error, "MSH0413", "going back would open access again",
		`The older bundle that --rollback names allows what the served one does not. The finding lists it. Policy is often narrowed to close a hole, and going back would open it again, so it takes a second word.

If that is meant, start the server with --allow-widen too. If not, roll forward: revert the one change that was wrong, and build a new bundle.`,
		"meshc serve --rollback sha256:1f0c...   # allows more than what is served", "meshc serve --rollback sha256:1f0c... --allow-widen"),
	same(Error, "MSH0414", "the archive cannot be unpacked as a bundle",
		`A bundle in a registry is one layer: a tar archive, compressed by gzip, with the files of the bundle's folder. This one holds what no such archive does: a name that leads out of the folder, a link or a device, a file twice, more files or bytes than are read, or a stream that is cut short. Nothing of it was written.

Push the bundle with "meshc push". An archive made by hand must hold regular files with relative names only.`,
		"tar -czPf layer.tar.gz /srv/bundle", "meshc push ./bundle oci://registry.example/mesh:v1"),
	same(Error, "MSH0415", "the artifact in the registry is no bundle",
		`The reference leads to something in the registry, but not to what "meshc push" or "flux push artifact" write: an image manifest with one layer of the type application/vnd.cncf.flux.content.v1.tar+gzip (or the like of it), whose digest and size are what the manifest says.

Check the reference, tag and digest. A container image is no bundle.`,
		"meshc pull oci://docker.io/library/nginx:latest -o ./bundle", "meshc pull oci://registry.example/mesh:v1 -o ./bundle"),
	same(Error, "MSH0416", "the provenance tells of something else",
		`"meshc verify --provenance" was given a file that is no SLSA provenance of this bundle: its subject has another digest, it is another kind of statement, or, with --key, none of the keys signed it. A statement that is not signed can be written by anybody.

Take the file that was written with this bundle by "meshc build --provenance FILE --sign KEY". Every build writes a new one, because the bundle's digest covers its inputs.`,
		"meshc verify ./bundle --provenance yesterday.intoto.json", "meshc build ./manifests -o ./bundle --sign mesh.key --provenance bundle.intoto.json\nmeshc verify ./bundle --key mesh.pub --provenance bundle.intoto.json"),
	same(Error, "MSH0417", "the bundle is of another mesh or environment",
		`The first bundle that a server takes fixes the name of its mesh and its environment, unless "serve --mesh NAME" and "--env NAME" say them; it remembers over restarts. This bundle is of another: most often one of staging was copied or pushed to where production looks, and the same key signs both. Its grants are meant for other workloads, so it is not taken.

Give the server the bundle of its own environment. If it is to serve the other one from now on (the mesh was renamed, or is built for an environment now), start it once with --mesh and --env.`,
		"meshc build ./manifests --env staging -o ./bundle   # served as prod", "meshc build ./manifests --env prod -o ./bundle"),
	same(Error, "MSH0497", "Envoy refuses the configuration",
		`With --envoy, meshc build shows the configuration of every proxy to an Envoy in its validation mode. This one refuses it, with the reason that the finding quotes. Nothing is written.

Most often the binary is older than 1.40, the version meshc compiles for: compare it with what your proxies run. If it is not, this is a defect of meshc: please report it with the smallest manifests that show it.`,
		"meshc build ./manifests -o ./bundle --envoy /opt/envoy-1.20/envoy", "meshc build ./manifests -o ./bundle --envoy /opt/envoy-1.40/envoy"),
	same(Error, "MSH0498", "the configuration does otherwise than the mesh says",
		`Every build checks itself: it asks the mesh, and the Envoy configuration made of it, the same requests at the boundaries of every policy (paths that just match and just do not, each header present, absent and doubled, each method and one outside, clients with a grant, without one, without a certificate). The finding shows the smallest request on which the two differ. Nothing of the configuration is written or served.

Nothing is wrong with your manifests. Please report it with the request it shows and the smallest manifests that show it. The exit code is 4.`,
		"meshc build ./manifests -o ./bundle   # ends with this finding", "meshc version   # say this in the report"),
	same(Error, "MSH0499", "meshc has a defect",
		`The manifests were accepted, and what was generated from them failed meshc's own checks: a reference that leads nowhere, or a message that Envoy would refuse. Nothing of it is written or served.

Nothing is wrong with your manifests. Please report it with the smallest manifests that show it. The exit code is 4.`,
		"meshc build ./manifests -o ./bundle   # ends with this finding", "meshc version   # say this in the report"),
}
