"""DataHub's old usage records as the time series that took their place."""

from __future__ import annotations

from datahub.metadata.schema_classes import (
    DatasetFieldUsageCountsClass,
    DatasetUsageStatisticsClass,
    DatasetUserUsageCountsClass,
    TimeWindowSizeClass,
    UsageAggregationClass,
)


def usage_statistics(record: UsageAggregationClass) -> DatasetUsageStatisticsClass:
    """One bucket of usage of a dataset. Users that have no URN are in the number of users only."""
    metrics = record.metrics
    return DatasetUsageStatisticsClass(
        timestampMillis=record.bucket,
        eventGranularity=TimeWindowSizeClass(unit=str(record.duration)),
        uniqueUserCount=metrics.uniqueUserCount,
        totalSqlQueries=metrics.totalSqlQueries,
        topSqlQueries=metrics.topSqlQueries,
        userCounts=[
            DatasetUserUsageCountsClass(user=user.user, count=user.count, userEmail=user.userEmail)
            for user in metrics.users or []
            if user.user is not None
        ],
        fieldCounts=[
            DatasetFieldUsageCountsClass(fieldPath=field.fieldName, count=field.count)
            for field in metrics.fields or []
        ],
    )
