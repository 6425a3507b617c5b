//! What tests declare of images: registries, and repositories in them.

/// One document of a state file; `rest` is what comes after the resource's name.
pub(crate) fn document(kind: &str, name: &str, rest: &str) -> String {
    format!(
        "---
apiVersion: reconcile/v1alpha1
kind: {kind}
metadata: {{name: {name}}}
{rest}
"
    )
}

/// A registry whose spec says this.
pub(crate) fn registry(name: &str, spec: &str) -> String {
    document("Registry", name, &format!("spec: {{{spec}}}"))
}

/// Alibaba Cloud's registry, where the program is somebody; its spec says this besides.
pub(crate) fn acr(spec: &str) -> String {
    let spec = format!(
        "host: registry.cn-hangzhou.aliyuncs.com, credentials: {{
  usernameEnv: RECONCILE_USER_REGISTRY_CN_HANGZHOU_ALIYUNCS_COM,
  passwordEnv: RECONCILE_PASSWORD_REGISTRY_CN_HANGZHOU_ALIYUNCS_COM
}}, {spec}"
    );
    registry("acr", &spec)
}

/// A repository whose spec says this.
pub(crate) fn repository(name: &str, spec: &str) -> String {
    document("ImageRepository", name, &format!("spec: {{{spec}}}"))
}

/// The same, whose versions may all go but for those that the spec keeps.
pub(crate) fn emptiable(name: &str, spec: &str) -> String {
    let rest = format!("policy: {{guards: {{maxDeletePercent: 100}}}}\nspec: {{{spec}}}");
    document("ImageRepository", name, &rest)
}
