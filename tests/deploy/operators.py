"""Whether a resource of an operator is one that it takes: types, and no field it does not know.

KEDA's and the Prometheus operator's fields come from models generated from their definitions. Of Strimzi's and
Altinity's there are none to install: what is here was read in theirs, and says no more than what these manifests use.
"""

import re
import typing
from collections.abc import Iterator
from typing import Any

import jsonschema
from cloudcoil.models.keda.v1alpha1 import ScaledObject, TriggerAuthentication
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor
from pydantic import BaseModel, ValidationError

from tests.deploy.manifests import Manifest

MODELS: dict[str, type[BaseModel]] = {
    "keda.sh/v1alpha1/ScaledObject": ScaledObject,
    "keda.sh/v1alpha1/TriggerAuthentication": TriggerAuthentication,
    "monitoring.coreos.com/v1/PrometheusRule": PrometheusRule,
    "monitoring.coreos.com/v1/ServiceMonitor": ServiceMonitor,
}
_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}
_FREE = {"type": "object"}  # Kubernetes' own, or anything


def _fields(required: str = "", **fields: Any) -> dict[str, Any]:
    """An object of these fields and no others."""
    return {
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
        "required": required.split(),
    }


def _list(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": 1}


def _one_of(*words: str) -> dict[str, Any]:
    return {"enum": list(words)}


_SECURITY = _fields(securityContext=_FREE)
_LISTENER = _fields(
    "name port type tls",
    name={"type": "string", "pattern": "^[a-z0-9]{1,11}$"},
    port={"type": "integer", "minimum": 9092},
    type=_one_of("internal", "route", "loadbalancer", "nodeport", "ingress", "cluster-ip"),
    tls={"type": "boolean"},
    authentication=_fields("type", type=_one_of("tls", "scram-sha-512", "custom")),
    networkPolicyPeers=_list(_FREE),
)
_VOLUME = _fields(
    "type",
    id=_WHOLE,
    type=_one_of("ephemeral", "persistent-claim"),
    size=_TEXT,
    deleteClaim={"type": "boolean"},
    kraftMetadata=_one_of("shared"),
)
_ACL = _fields(
    "resource operations",
    resource=_fields(
        "type",
        type=_one_of("topic", "group", "cluster", "transactionalId"),
        name=_TEXT,
        patternType=_one_of("literal", "prefix"),
    ),
    operations=_list(
        _one_of("Read", "Write", "Create", "Delete", "Alter", "Describe", "AlterConfigs", "DescribeConfigs", "All")
    ),
)
_KEPT = _fields(
    storageManagement=_fields(reclaimPolicy=_one_of("Retain", "Delete")),
    templates=_fields(podTemplate=_TEXT, dataVolumeClaimTemplate=_TEXT),
)
_SPREAD = _fields("type", type=_one_of("ClickHouseAntiAffinity"), scope=_one_of("ClickHouseInstallation"))
_SPECS: dict[str, dict[str, Any]] = {
    "kafka.strimzi.io/v1/KafkaNodePool": _fields(
        "replicas roles storage",
        replicas=_WHOLE,
        roles=_list(_one_of("controller", "broker")),
        storage=_fields("type", type=_one_of("jbod", "ephemeral", "persistent-claim"), volumes=_list(_VOLUME)),
        resources=_fields(requests=_FREE, limits=_FREE),
        jvmOptions={"type": "object", "propertyNames": {"enum": ["-Xms", "-Xmx"]}},
        template=_fields(pod=_SECURITY, kafkaContainer=_SECURITY),
    ),
    "kafka.strimzi.io/v1/Kafka": _fields(
        "kafka",
        kafka=_fields(
            "listeners",
            listeners=_list(_LISTENER),
            authorization=_fields("type", type=_one_of("simple", "custom"), superUsers=_list(_TEXT)),
            config=_FREE,
        ),
        entityOperator=_fields(
            topicOperator=_FREE,
            userOperator=_FREE,
            template=_fields(pod=_SECURITY, topicOperatorContainer=_SECURITY, userOperatorContainer=_SECURITY),
        ),
    ),
    "kafka.strimzi.io/v1/KafkaTopic": _fields("", topicName=_TEXT, partitions=_WHOLE, replicas=_WHOLE, config=_FREE),
    "kafka.strimzi.io/v1/KafkaUser": _fields(
        "",
        authentication=_fields("type", type=_one_of("tls", "tls-external", "scram-sha-512")),
        authorization=_fields("type acls", type=_one_of("simple"), acls=_list(_ACL)),
    ),
    "clickhouse.altinity.com/v1/ClickHouseInstallation": _fields(
        "configuration",
        defaults=_KEPT,
        configuration=_fields(
            "clusters",
            users=_FREE,
            settings=_FREE,
            zookeeper=_fields("nodes", nodes=_list(_fields("host", host=_TEXT, port=_WHOLE))),
            clusters=_list(
                _fields(
                    "name",
                    name=_TEXT,
                    layout=_fields(shardsCount=_WHOLE, replicasCount=_WHOLE),
                    secret=_fields("auto", auto=_one_of("true")),
                ),
            ),
        ),
        templates=_fields(
            podTemplates=_list(_fields("name", name=_TEXT, spec=_FREE, podDistribution=_list(_SPREAD))),
            volumeClaimTemplates=_list(_fields("name", name=_TEXT, spec=_FREE)),
        ),
    ),
    "clickhouse-keeper.altinity.com/v1/ClickHouseKeeperInstallation": _fields(
        "configuration",
        defaults=_KEPT,
        configuration=_fields(
            "clusters",
            settings=_FREE,
            clusters=_list(_fields("name", name=_TEXT, layout=_fields(replicasCount=_WHOLE))),
        ),
        templates=_fields(
            podTemplates=_list(_fields("name", name=_TEXT, spec=_FREE)),
            volumeClaimTemplates=_list(_fields("name", name=_TEXT, spec=_FREE)),
        ),
    ),
}


def kind_of(manifest: Manifest) -> str:
    """`group/version/Kind`."""
    return f"{manifest['apiVersion']}/{manifest['kind']}"


def known(manifest: Manifest) -> bool:
    """Whether this is a kind of one of the four operators."""
    return kind_of(manifest) in MODELS or kind_of(manifest) in _SPECS


def problems(manifest: Manifest) -> list[str]:
    """What the operator would refuse, or silently drop."""
    model = MODELS.get(kind_of(manifest))
    if model is None:
        validator = jsonschema.Draft202012Validator(_SPECS[kind_of(manifest)])
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest["spec"])]
    try:
        model.model_validate(manifest)
    except ValidationError as error:
        return [str(error)]
    return list(_unknown(manifest["spec"], _model(model.model_fields["spec"].annotation), "spec"))


def _unknown(value: Any, model: type[BaseModel] | None, path: str) -> Iterator[str]:
    """Fields that the model does not name: a cluster drops them without a word."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(item, model, f"{path}[{number}]")
    if model is None or not isinstance(value, dict):
        return
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for name, inner in value.items():
        if name not in fields:
            yield f"{path}.{name}: no such field"
        else:
            yield from _unknown(inner, _model(fields[name]), f"{path}.{name}")


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model inside of an Optional or a list; None for maps and plain values."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    if typing.get_origin(annotation) is dict:
        return None
    return next((found for part in typing.get_args(annotation) if (found := _model(part))), None)


def metrics_of(expression: str) -> set[str]:
    """Names of our metrics in an expression."""
    return set(re.findall(r"\bseamline_[a-z_]+", expression))
